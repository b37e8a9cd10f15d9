// Shows how far a bridge has come that was just set up.
(function () {
  "use strict";
  var box = document.getElementById("bringing");
  if (!box || !window.fetch) return;
  var bar = box.querySelector("progress"), text = box.querySelector(".figures"), wanted = +box.dataset.wanted, same = 0, last = -1;
  async function look() {
    try {
      var answer = await fetch(box.dataset.progress, { credentials: "same-origin" });
      if (!(answer.headers.get("Content-Type") || "").startsWith("application/json")) return;
      var p = await answer.json(), parts = [p.shown];
      if (p.logins) parts.push(p.connected + " / " + p.logins + " " + box.dataset.connected);
      parts.push(p.rooms + (wanted ? " / " + wanted : "") + " " + box.dataset.rooms);
      if (p.error) parts.push(p.error);
      if (wanted) bar.value = Math.min(p.rooms, wanted);
      same = p.rooms === last ? same + 1 : 0;
      last = p.rooms;
      var done = p.state === "running" && p.connected === p.logins && (wanted ? p.rooms >= wanted : p.rooms > 0 && same > 10);
      var now = parts.join(", ") + (done ? ". " + box.dataset.done : "");
      if (text.textContent !== now) text.textContent = now; // it is read out
      if (done) {
        bar.max = bar.value = 1;
        return;
      }
    } catch (err) {
      // The server may be restarting.
    }
    setTimeout(look, 1000);
  }
  look();
})();
