// The page says everything without this script; it only folds away the maps of other kinds of round and other plans.
for (const choices of document.querySelectorAll(".choices")) {
  const parts = [...choices.children];
  if (parts.length < 2) continue;
  const chooser = document.createElement("div");
  chooser.className = "chooser";
  chooser.setAttribute("role", "group");
  chooser.setAttribute("aria-label", choices.dataset.label);
  const buttons = parts.map((part) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = part.dataset.title;
    button.addEventListener("click", () => choose(part));
    chooser.append(button);
    return button;
  });
  const choose = (chosen) => parts.forEach((part, i) => {
    part.classList.toggle("off", part !== chosen);
    buttons[i].setAttribute("aria-pressed", String(part === chosen));
  });
  choices.prepend(chooser);
  choose("first" in choices.dataset ? parts[0] : parts[parts.length - 1]);
}
// Paper cannot be unfolded.
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => { part.open = true; }));
