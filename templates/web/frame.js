// In a frame on a foreign site: tells that site how high our page is, and nothing else. Without it the frame scrolls.
(() => {
  "use strict";
  if (window.parent === window) return;
  // To anybody: a height is no secret, and we do not know who frames us.
  const tell = () => {
    const height = Math.ceil(document.documentElement.getBoundingClientRect().height);
    window.parent.postMessage({ newsAlert: "height", height }, "*");
  };
  new ResizeObserver(tell).observe(document.documentElement);
  window.addEventListener("message", (event) => {
    if (event.source === window.parent && event.data && event.data.newsAlert === "ask") tell();
  });
})();
