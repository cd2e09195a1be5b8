// The page says everything without this script; it only folds the maps of the other kinds of round away.
for (const kinds of document.querySelectorAll(".kinds")) {
  const maps = [...kinds.querySelectorAll(".kind")];
  if (maps.length < 2) continue;
  const chooser = document.createElement("div");
  chooser.className = "chooser";
  chooser.setAttribute("role", "group");
  chooser.setAttribute("aria-label", "Kind of round");
  const buttons = maps.map((map) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = map.dataset.title;
    button.addEventListener("click", () => choose(map));
    chooser.append(button);
    return button;
  });
  const choose = (chosen) => maps.forEach((map, i) => {
    map.classList.toggle("off", map !== chosen);
    buttons[i].setAttribute("aria-pressed", String(map === chosen));
  });
  kinds.prepend(chooser);
  choose(maps[maps.length - 1]);
}
// Paper cannot be unfolded.
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => { part.open = true; }));
