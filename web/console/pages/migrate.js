// Uploads in parts, which go on where they were cut off, and progress that moves.
(function () {
  "use strict";
  var form = document.getElementById("upload");
  if (form && window.FormData && window.fetch) upload(form);
  var progress = document.getElementById("progress");
  if (progress && window.fetch) watch(progress);

  function upload(form) {
    var say = document.getElementById("upload-state"), bar = document.getElementById("upload-bar"), max = +form.dataset.part;
    form.addEventListener("submit", function (e) {
      e.preventDefault();
      e.stopImmediatePropagation();
      var file = form.elements.export.files[0];
      if (!file) return;
      if (form.dataset.id && (file.name !== form.dataset.name || file.size !== +form.dataset.size)) {
        say.textContent = form.dataset.other;
        return;
      }
      form.querySelector("button").setAttribute("aria-disabled", "true");
      bar.hidden = false;
      bar.max = file.size;
      run(file).catch(function (err) {
        say.textContent = err.message;
        form.querySelector("button").removeAttribute("aria-disabled");
      });
    }, true);

    async function send(fields, part) {
      var data = new FormData();
      ["csrf", "network", "workspace", "bridge", "zone"].forEach(function (k) {
        if (form.elements[k]) data.append(k, form.elements[k].value);
      });
      data.append("script", "yes");
      Object.keys(fields).forEach(function (k) { data.append(k, fields[k]); });
      if (part) data.append("export", part, "part");
      var answer = await fetch(form.action, { method: "POST", body: data, credentials: "same-origin" });
      if (!(answer.headers.get("Content-Type") || "").startsWith("application/json")) throw new Error(form.dataset.refused);
      return answer.json();
    }

    async function run(file) {
      var id = form.dataset.id || "", have = +(form.dataset.have || 0), failures = 0;
      if (!id) {
        var begun = await send({ name: file.name, size: file.size });
        if (begun.error) throw new Error(begun.error);
        id = begun.id;
      }
      while (have < file.size) {
        bar.value = have;
        say.textContent = Math.floor(100 * have / file.size) + " %";
        var out;
        try {
          out = await send({ id: id, offset: have }, file.slice(have, Math.min(have + max, file.size)));
        } catch (err) {
          // The connection may come back; what is there is not sent again.
          if (++failures > 5) throw err;
          await new Promise(function (done) { setTimeout(done, 1000 * failures); });
          continue;
        }
        if (out.error && out.have === have) {
          if (++failures > 5) throw new Error(out.error);
          continue;
        }
        if (out.have > have) failures = 0;
        have = out.have;
      }
      location.href = form.dataset.show + encodeURIComponent(id);
    }
  }

  function watch(box) {
    var bar = box.querySelector("progress"), text = box.querySelector(".figures"), said = box.querySelector(".said"), told = -1, state = box.dataset.state, step = box.dataset.step;
    var number = new Intl.NumberFormat(document.documentElement.lang);
    function span(seconds) {
      seconds = Math.round(seconds);
      return seconds < 90 ? seconds + " s" : seconds < 5400 ? Math.round(seconds / 60) + " min" : (seconds / 3600).toFixed(1) + " h";
    }
    async function look() {
      try {
        var answer = await fetch(box.dataset.progress, { credentials: "same-origin" });
        if (!(answer.headers.get("Content-Type") || "").startsWith("application/json")) return location.reload();
        var p = await answer.json();
        if (p.state !== state || p.step !== step) return location.reload();
        if (p.state === "working") {
          bar.value = p.part;
          var parts = [Math.floor(p.part / 10) + " %"];
          if (p.all_channels) parts.push(number.format(p.channels) + " / " + number.format(p.all_channels) + " " + box.dataset.channels);
          if (p.messages) parts.push(number.format(p.messages) + " " + box.dataset.messages + " (" + number.format(Math.round(p.rate)) + "/s)");
          if (p.files) parts.push(number.format(p.files) + " " + box.dataset.files);
          if (p.left) parts.push(box.dataset.left + " " + span(p.left));
          text.textContent = parts.join(", ");
          // Read out at each tenth, not each second.
          var tenth = Math.floor(p.part / 100);
          if (tenth !== told) said.textContent = text.textContent;
          told = tenth;
        }
      } catch (err) {
        // The server may be restarting.
      }
      setTimeout(look, 1000);
    }
    look();
  }
})();
