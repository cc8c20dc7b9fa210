"""report: one page to look at, from all that the other stages made."""

from landmarks.files import write_text
from landmarks.report.material import Material
from landmarks.report.page import render
from stages.runner import run

PAGE = "metrics/report.html"


def main() -> None:
    page = render(Material.read())
    write_text(PAGE, page)
    print(f"report: {PAGE}, {len(page.encode()) / 1e6:.1f} MB; open it in a browser")


if __name__ == "__main__":
    run(main)
