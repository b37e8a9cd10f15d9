// Shows what an examination finds as it comes.
(function () {
  "use strict";
  var list = document.getElementById("findings");
  if (!list || !window.EventSource) return;
  var state = document.getElementById("examining"), words = list.dataset;
  var source = new EventSource(words.stream);
  state.textContent = words.looking;
  source.onmessage = function (e) {
    var f = JSON.parse(e.data);
    if (f.end) {
      source.close();
      state.textContent = f.error || (list.childElementCount ? words.done : words.nothing);
      return;
    }
    var row = document.createElement("li"), area = document.createElement("strong"), tag = document.createElement("span");
    area.textContent = f.area;
    tag.textContent = words[f.verdict];
    tag.className = f.verdict === "bad" ? "tag warn" : f.verdict === "good" ? "tag" : "tag doubt";
    row.append(area, " ", tag, document.createElement("br"), f.text);
    if (f.mend) {
      var mend = document.createElement("span");
      mend.className = "soft";
      mend.textContent = words.todo + " " + f.mend;
      row.append(document.createElement("br"), mend);
    }
    list.append(row);
  };
  source.onerror = function () {
    source.close();
    state.textContent = words.broken;
  };
})();
