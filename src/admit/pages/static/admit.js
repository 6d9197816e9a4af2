// What needs a script; without one, every page works all the same.
"use strict";

// Show and hide what was typed into a password field.
for (const field of document.querySelectorAll("input[data-show]")) {
  const button = document.createElement("button");
  const say = (isShown) => {
    field.type = isShown ? "text" : "password";
    button.textContent = isShown ? field.dataset.hide : field.dataset.show;
    button.setAttribute("aria-label", `${button.textContent}: ${field.dataset.what}`);
  };
  button.type = "button";
  button.className = "admit-reveal";
  button.addEventListener("click", () => say(field.type === "password"));
  field.form.addEventListener("submit", () => say(false));
  field.after(button);
  say(false);
}

// Say how hard a password is to guess, a moment after the last key.
for (const strength of document.querySelectorAll(".admit-strength")) {
  const field = document.getElementById(strength.dataset.for);
  const meter = strength.querySelector("meter");
  const output = strength.querySelector("output");
  let timer = 0;
  let asked = 0;
  const ask = async () => {
    const number = ++asked;
    const answer = await fetch(strength.dataset.url, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ password: field.value }),
    });
    if (!answer.ok || number !== asked) return;
    const { score, warning } = await answer.json();
    meter.value = score;
    output.textContent = [strength.dataset[score], warning].filter(Boolean).join(". ");
    strength.hidden = false;
  };
  field.addEventListener("input", () => {
    clearTimeout(timer);
    if (field.value) timer = setTimeout(() => ask().catch(() => {}), 400);
    else strength.hidden = true;
  });
}

// Say times in the reader's own time zone.
for (const time of document.querySelectorAll("time[data-local]")) {
  const at = new Date(time.dateTime);
  time.title = time.textContent;
  time.textContent = at.toLocaleString(document.documentElement.lang, { dateStyle: "long", timeStyle: "short" });
}
