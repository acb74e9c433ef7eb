// For a publisher's page: gives each of our frames the height that the box in it asks for. Touches nothing else.
(() => {
  "use strict";
  const LOWEST = 80;
  const HIGHEST = 3000;
  const ours = new URL(document.currentScript.src).origin;
  const frames = () => [...document.querySelectorAll("iframe")].filter((frame) => frame.src.startsWith(`${ours}/embed/`));

  window.addEventListener("message", (event) => {
    // Only what comes from our site, and out of a frame that was put here for it.
    if (event.origin !== ours || !event.data || event.data.newsAlert !== "height") return;
    const frame = frames().find((one) => one.contentWindow === event.source);
    const height = Number(event.data.height);
    if (!frame || !Number.isFinite(height)) return;
    frame.style.height = `${Math.min(Math.max(Math.ceil(height), LOWEST), HIGHEST)}px`;
  });

  // A frame that was ready before this script told its height to nobody.
  for (const frame of frames()) frame.contentWindow.postMessage({ newsAlert: "ask" }, "*");
})();
