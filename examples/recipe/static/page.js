"use strict";

const part = (id) => document.getElementById(id);
const form = part("form");
const fields = ["username", "password"];

async function call(method, path, body) {
  const sent = { method, headers: {} };
  if (body) {
    sent.headers["Content-Type"] = "application/json";
    sent.body = JSON.stringify(body);
  }
  try {
    const response = await fetch(path, sent);
    return { status: response.status, answer: await response.json() };
  } catch {
    return { status: 0, answer: { error: "The server can't be reached. Please try again." } };
  }
}

function show(user) {
  part("outside").hidden = Boolean(user);
  part("inside").hidden = !user;
  part("name").textContent = user ? user.username : "";
  part("sessions").replaceChildren();
  if (user) showSessions();
}

function element(name, text, className) {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function sessionItem(session) {
  const item = document.createElement("li");
  const words = document.createElement("div");
  const seen = new Date(session.seen).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  words.append(element("p", session.device));
  words.append(element("p", session.current ? "This device" : `Last seen ${seen}, ${session.address}`, "hint"));
  item.append(words);
  if (!session.current) {
    const end = element("button", "Sign out", "quiet");
    end.type = "button";
    end.setAttribute("aria-label", `Sign out ${session.device}`);
    end.addEventListener("click", () => endSession(session.id));
    item.append(end);
  }
  return item;
}

async function showSessions() {
  const { status, answer } = await call("GET", "/sessions");
  if (status === 401) show(null);
  if (status === 200) part("sessions").replaceChildren(...answer.map(sessionItem));
}

async function endSession(id) {
  const { status, answer } = await call("DELETE", `/sessions/${encodeURIComponent(id)}`);
  part("inside-error").textContent = status === 200 ? "" : answer.error;
  part("inside-error").hidden = status === 200;
  await showSessions();
}

function clearErrors() {
  for (const field of fields) {
    part(field).removeAttribute("aria-invalid");
    part(`${field}-error`).textContent = "";
  }
  part("form-error").hidden = part("inside-error").hidden = true;
}

function showError({ error, field }) {
  if (!fields.includes(field)) {
    part("form-error").textContent = error;
    part("form-error").hidden = false;
    part("username").focus();
    return;
  }
  part(`${field}-error`).textContent = error;
  part(field).setAttribute("aria-invalid", "true");
  part(field).focus();
}

async function whoAmI() {
  const { status, answer } = await call("GET", "/me");
  show(status === 200 ? answer : null);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  clearErrors();
  const action = event.submitter ? event.submitter.value : "login";
  const buttons = form.querySelectorAll("button");
  buttons.forEach((button) => { button.disabled = true; });
  const { status, answer } = await call("POST", `/${action}`, {
    username: part("username").value,
    password: part("password").value,
    remember: part("remember").checked,
  });
  buttons.forEach((button) => { button.disabled = false; });
  if (status !== 201) {
    showError(answer);
    return;
  }
  form.reset();
  show(answer);
  part("inside-title").focus();
});

part("logout").addEventListener("click", async () => {
  const { status, answer } = await call("POST", "/logout");
  if (status !== 200) {
    part("inside-error").textContent = answer.error || answer.message;
    part("inside-error").hidden = false;
    return;
  }
  show(null);
  part("username").focus();
});

// The back button may bring this page back as it was left, with a user who has signed out since.
addEventListener("pageshow", whoAmI);
