// What pages do beyond HTML; they all work without it.
(function () {
  "use strict";
  // A form is sent once, however often its button is pressed.
  document.addEventListener("submit", function (e) {
    var form = e.target;
    if ("again" in form.dataset) return; // the answer is a file, and the page stays
    if (form.dataset.sent) {
      e.preventDefault();
      return;
    }
    form.dataset.sent = "1";
    // Afterwards, for a disabled button would not be sent.
    setTimeout(function () {
      form.querySelectorAll("button").forEach(function (b) { b.setAttribute("aria-disabled", "true"); });
    }, 0);
  });
  // A page that the browser kept in memory can be sent again.
  window.addEventListener("pageshow", function () {
    document.querySelectorAll("form").forEach(function (form) {
      delete form.dataset.sent;
      form.querySelectorAll("button").forEach(function (b) { b.removeAttribute("aria-disabled"); });
    });
  });
  document.querySelectorAll("[data-close]").forEach(function (b) {
    b.hidden = false;
    b.addEventListener("click", function () { window.close(); });
  });
})();
