// What pages do beyond HTML; they all work without it.
(function () {
  "use strict";
  // Who comes back without having done anything goes on where they were; what was done is read out first.
  var here = location.pathname + location.search, keep = window.sessionStorage;
  try {
    var left = JSON.parse(keep.getItem("left") || "{}"), flash = document.getElementById("flash"), question = document.querySelector("a[data-back]");
    if (flash) flash.focus();
    else if (left.back && left.here === here && document.forms[left.form]) document.forms[left.form].querySelectorAll("button")[left.button].focus();
    if (!question) keep.removeItem("left");
    else question.addEventListener("click", function () {
      left.back = true;
      keep.setItem("left", JSON.stringify(left));
    });
    // Where one is in a long navigation is to be seen.
    var at = document.querySelector(".nav [aria-current]");
    if (at) at.closest("ul").scrollLeft = at.offsetLeft - (innerWidth - at.offsetWidth) / 2;
  } catch (err) {
    // A browser that keeps nothing, or another page than before.
  }
  document.addEventListener("keydown", function (e) {
    var back = document.querySelector("a[data-back]");
    if (e.key === "Escape" && back) back.click();
  });
  // A form is sent once, however often its button is pressed.
  document.addEventListener("submit", function (e) {
    var form = e.target;
    if ("again" in form.dataset) return; // the answer is a file, and the page stays
    if (form.dataset.sent) {
      e.preventDefault();
      return;
    }
    form.dataset.sent = "1";
    if (!document.querySelector("a[data-back]")) {
      try {
        keep.setItem("left", JSON.stringify({ here: here, form: Array.from(document.forms).indexOf(form), button: Array.from(form.querySelectorAll("button")).indexOf(e.submitter) }));
      } catch (err) {
        // It goes without.
      }
    }
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
