"""The page: `streamlit run app/web.py`, or `make app`."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:  # Streamlit puts the folder of this file there, not the project
    sys.path.insert(0, str(ROOT))

import streamlit as st  # noqa: E402

from app.page import about, ask, cnns, markup  # noqa: E402

PARTS = Path(__file__).parent / "page"


def main() -> None:
    """Draw the frame that all pages share, and the page that was chosen."""
    st.set_page_config(page_title="landmarks", page_icon=str(PARTS / "icon.svg"), layout="wide")
    markup.show((PARTS / "style.css").read_text(encoding="utf-8").join(("<style>", "</style>")))
    pages = [
        st.Page(ask.page, title="Your photos", url_path="photos", default=True),
        st.Page(cnns.page, title="The two CNNs", url_path="cnns"),
        st.Page(about.page, title="About", url_path="about"),
    ]
    chosen = st.navigation(pages, position="hidden")
    with st.container(key="bar-top", horizontal=True, vertical_alignment="center"):
        logo = (PARTS / "logo.svg").read_text(encoding="utf-8")
        st.html(markup.picture(logo, "landmarks"), width="content")
        for page in pages:
            st.page_link(page, width="content")
    chosen.run()
    with st.container(key="script"):
        script = (PARTS / "page.js").read_text(encoding="utf-8")
        st.html(f"<script>{script}</script>", unsafe_allow_javascript=True)


main()
