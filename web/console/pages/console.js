// The log's page, live. Without this script it shows the newest lines when it is loaded.
(function () {
  "use strict";
  var list = document.getElementById("lines"), button = document.getElementById("follow");
  if (!list || !button || !window.EventSource) return;
  var source = null, most = 1000, state = document.getElementById("following"), said = document.getElementById("said");
  function add(line) {
    var atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    var row = document.createElement("div");
    row.className = "logline " + line.level.toLowerCase();
    ["time", "level", "text"].forEach(function (k) {
      var s = document.createElement("span");
      s.className = k;
      s.textContent = line[k];
      row.append(s, " ");
    });
    list.append(row);
    while (list.childElementCount > most) list.firstElementChild.remove();
    // All of it would be too much to listen to.
    if (/^(WARN|ERROR)/.test(line.level)) said.textContent = line.level + " " + line.text;
    if (atEnd) list.scrollTop = list.scrollHeight;
  }
  function stop() {
    if (source) source.close();
    source = null;
    button.textContent = list.dataset.follow;
    state.textContent = list.dataset.stopped;
  }
  function start() {
    source = new EventSource(list.dataset.stream);
    source.onmessage = function (e) { add(JSON.parse(e.data)); };
    source.onopen = function () { state.textContent = list.dataset.live; };
    source.onerror = function () { state.textContent = list.dataset.again; };
    button.textContent = list.dataset.stop;
  }
  button.hidden = false;
  button.addEventListener("click", function () { if (source) stop(); else start(); });
  list.scrollTop = list.scrollHeight;
  window.addEventListener("pagehide", stop);
  start();
})();
