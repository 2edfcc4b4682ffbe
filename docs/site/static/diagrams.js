// Draws the page's diagrams in the colours of the theme that the page opens with.
const dark = document.body.dataset.theme === "dark"
  || (document.body.dataset.theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
mermaid.initialize({ startOnLoad: false, theme: dark ? "dark" : "neutral" });
mermaid.run();
