// Sends dropped images to be judged, in parts that the server takes, and shows what it says.
"use strict";
(() => {
  const form = document.querySelector(".drop"), input = form.querySelector("input");
  const said = document.querySelector(".opening"), cards = document.querySelector(".cards");
  const broken = document.querySelector(".broken"), controls = document.querySelector(".threshold");
  const most = { images: Number(form.dataset.images), bytes: Number(form.dataset.bytes) * 0.95 };
  let judged = 0;

  const parts = (files) => {
    const found = [];
    let bytes = Infinity;
    for (const file of files) {
      if (bytes + file.size > most.bytes || found.at(-1).length === most.images) {
        found.push([]);
        bytes = 0;
      }
      found.at(-1).push(file);
      bytes += file.size;
    }
    return found;
  };

  const complain = (text) =>
    broken.append(Object.assign(document.createElement("li"), { textContent: text }));

  const show = (image) => {
    if (image.score === null) return complain(`${image.file} could not be scored: ${image.reason}`);
    const card = document.querySelector("template").content.cloneNode(true).firstElementChild;
    const [plain, heat] = card.querySelectorAll("img");
    Object.assign(plain, { src: image.image, alt: image.file });
    Object.assign(heat, { src: image.heat, alt: `heat of ${image.file}` });
    for (const picture of [plain, heat]) {
      Object.assign(picture, { role: "button", tabIndex: 0, title: "enlarge" });
      picture.classList.add("enlarges");
    }
    Object.assign(card.dataset, { rank: image.rank, score: image.score, verdict: image.verdict });
    card.querySelector(".numbers").textContent =
      `p = ${Number(image.p_value.toPrecision(2))} · score ${Number(image.score.toPrecision(3))}`;
    if (image.x !== undefined) card.querySelector(".numbers").append(` at ${image.x}, ${image.y}`);
    card.querySelector(".name").textContent = image.file;
    const lower = [...cards.children].find((other) => Number(other.dataset.score) < image.score);
    cards.insertBefore(card, lower || null);  // most anomalous first
    judged += 1;
  };

  const send = async (files) => {
    const counted = (count) => `${count} image${count === 1 ? "" : "s"}`;
    said.textContent = `Judging ${counted(files.length)} …`;
    for (const part of parts(files)) {
      const body = new FormData();
      part.forEach((file) => body.append("images", file));
      try {
        const answer = await fetch("score?pictures=true", { method: "POST", body });
        const found = await answer.json();
        if (!answer.ok) complain(`${part.map((file) => file.name).join(", ")}: ${found.detail}`);
        else {
          found.images.forEach(show);
          found.notes.forEach(complain);
        }
      } catch (error) {
        complain(`The server gave no answer (${error.message}); is it still running?`);
      }
      controls.dispatchEvent(new Event("input"));
    }
    const flagged = cards.querySelectorAll(".anomalous").length;
    said.textContent = `${flagged} of ${counted(judged)} ${judged === 1 ? "is" : "are"} flagged as anomalous.`;
  };

  form.addEventListener("submit", (event) => event.preventDefault());
  form.querySelector("button").hidden = true;
  input.addEventListener("change", () => {
    if (input.files.length) send([...input.files]);
    input.value = "";
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    form.classList.add("over");
  });
  document.addEventListener("dragleave", () => form.classList.remove("over"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    form.classList.remove("over");
    if (event.dataTransfer.files.length) send([...event.dataTransfer.files]);
  });
  controls.addEventListener("input", () => {
    const flagged = cards.querySelectorAll(".anomalous").length;
    if (judged) said.textContent = said.textContent.replace(/^\d+ of/, `${flagged} of`);
  });
})();
