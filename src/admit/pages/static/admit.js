// What needs a script; without one, every page works all the same.
"use strict";

// Show and hide what was typed into a password field.
for (const field of document.querySelectorAll("input[data-show]")) {
  const button = document.createElement("button");
  const show = (isShown) => {
    field.type = isShown ? "text" : "password";
    button.textContent = isShown ? field.dataset.hide : field.dataset.show;
    button.setAttribute("aria-label", `${button.textContent}: ${field.dataset.what}`);
  };
  button.type = "button";
  button.className = "admit-reveal";
  button.addEventListener("click", () => show(field.type === "password"));
  // A browser offers again what was typed into fields of text.
  field.form.addEventListener("submit", () => show(false));
  field.after(button);
  show(false);
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
    const { score } = await answer.json();
    meter.value = score;
    output.textContent = strength.dataset[score];
    strength.hidden = false;
  };
  field.addEventListener("input", () => {
    clearTimeout(timer);
    asked += 1; // an answer that is under way is about something else
    if (field.value) timer = setTimeout(() => ask().catch(() => {}), 400);
    else strength.hidden = true;
  });
}

// Say times in the reader's own time zone, and in the way of their region.
const language = document.documentElement.lang;
const region = navigator.languages.find((one) => one.startsWith(language)) ?? language;
for (const time of document.querySelectorAll("time[data-local]")) {
  time.title = time.textContent;
  time.textContent = new Date(time.dateTime).toLocaleString(region, { dateStyle: "long", timeStyle: "short" });
}

// Where too many sign in at once, the server leaves the browser on this page (204) and says in a cookie for how long to
// wait. What was typed is still here, and nowhere else, and is sent again.
const MOST_TRIES = 30;
for (const form of document.querySelectorAll("form[data-wait]")) {
  const waits = document.createElement("input");
  waits.type = "hidden";
  waits.name = "waits";
  waits.value = "yes";
  const said = document.createElement("p");
  said.className = "admit-hint";
  said.setAttribute("role", "status");
  form.append(waits, said);
  let timer = 0;
  let tries = 0;
  const look = () => {
    const [, seconds] = document.cookie.match(/(?:^|; )admit-wait=(\d+)/) ?? [];
    if (seconds === undefined) return;
    clearInterval(timer);
    document.cookie = "admit-wait=; Max-Age=0; Path=/";
    said.textContent = form.dataset.wait;
    tries += 1;
    if (tries === MOST_TRIES) waits.remove(); // the page of the refusal is the answer then
    // Not all at the same moment.
    setTimeout(() => form.requestSubmit(), (Number(seconds) + Math.random()) * 1000);
  };
  form.addEventListener("submit", () => {
    clearInterval(timer);
    timer = setInterval(look, 200);
  });
}
