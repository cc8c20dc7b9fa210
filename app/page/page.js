// What Streamlit has no widget for: a pasted picture goes where a dropped one goes, and buttons
// that copy text. Installed once a visit, whatever is drawn again.
(() => {
  if (window.landmarksPage) return;
  window.landmarksPage = true;

  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    const input = document.querySelector("[class*=st-key-drop] input[type=file]");
    if (!files.length || !input) return;
    event.preventDefault();
    const carrier = new DataTransfer();
    files.forEach((file) => carrier.items.add(file));
    input.files = carrier.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });

  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Browsers give the clipboard to https and localhost only.
      const area = Object.assign(document.createElement("textarea"), { value: text });
      area.style.cssText = "position:fixed;opacity:0";
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-copy]");
    if (!button) return;
    await copy(button.dataset.copy);
    const before = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = before), 1500);
  });
})();
