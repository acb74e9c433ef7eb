// Lets the browser do the little work that a form asks for: an ALTCHA challenge by PBKDF2/SHA-256. Begins when somebody
// comes to the form, in small slices off the page's own thread, and is mostly done before they press the button.
// Without it, or where a browser offers no cryptography, the site asks to wait and press once more.
"use strict";

(() => {
  const octetsOf = (hex) => Uint8Array.from(hex.match(/../g), (pair) => parseInt(pair, 16));
  const hexOf = (octets) => Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join("");

  async function derived(parameters, counter) {
    const nonce = octetsOf(parameters.nonce);
    const password = new Uint8Array(nonce.length + 4);
    password.set(nonce);
    new DataView(password.buffer).setUint32(nonce.length, counter);
    const key = await crypto.subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
    const how = { name: "PBKDF2", hash: "SHA-256", salt: octetsOf(parameters.salt), iterations: parameters.cost };
    return hexOf(new Uint8Array(await crypto.subtle.deriveBits(how, key, parameters.keyLength * 8)));
  }

  async function solved(challenge, most, tell) {
    for (let counter = 0; counter < most; counter += 1) {
      const derivedKey = await derived(challenge.parameters, counter);
      if (derivedKey.startsWith(challenge.parameters.keyPrefix)) {
        return btoa(JSON.stringify({ challenge, solution: { counter, derivedKey } }));
      }
      tell(counter / most);
    }
    return ""; // it cannot be: the site then asks to wait
  }

  function attend(field) {
    const form = field.form;
    let begun = null;
    let done = 0;
    let pressed = null; // the button that waits, and what it said
    let failed = false;

    const tell = (share) => {
      done = share;
      if (pressed) pressed.button.textContent = `${field.dataset.working} ${Math.round(done * 100)} %`;
    };
    const begin = () => {
      begun ??= solved(JSON.parse(field.dataset.challenge), Number(field.dataset.most), tell)
        .then((payload) => { field.value = payload; }, () => { failed = true; })
        .then(() => { failed ||= !field.value; });
      return begun;
    };

    form.addEventListener("focusin", begin, { once: true });
    form.addEventListener("submit", (event) => {
      if (field.value || failed) return;
      event.preventDefault();
      const button = event.submitter ?? form.querySelector("button:not([type=button])");
      if (pressed || !button) return;
      pressed = { button, said: button.textContent };
      button.setAttribute("aria-disabled", "true");
      button.setAttribute("aria-live", "polite");
      tell(done);
      begin().then(() => {
        button.textContent = pressed.said;
        button.removeAttribute("aria-disabled");
        pressed = null;
        form.requestSubmit(button);
      });
    });
  }

  if (globalThis.crypto?.subtle) document.querySelectorAll("input[data-challenge]").forEach(attend);
})();
