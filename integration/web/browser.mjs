// Drives a browser through steps that are read from standard input, a JSON object a line, and answers
// each with a line: {} or {"failed": "..."}, and with text where it was asked for.
import { chromium } from "playwright-core";
import { readFileSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const { program, origin, shots, language, keyboard, beyond } = JSON.parse(process.argv[2]);
const browser = await chromium.launch({ executablePath: program, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });
// Each width and each scheme is looked at by axe; all of them are looked at for what is too wide, and photographed.
const looks = [
  ["phone", 390, 844, "light", true], ["phone", 390, 844, "dark", false], ["small", 320, 640, "light", false],
  ["desktop", 1280, 900, "light", false], ["desktop", 1280, 900, "dark", true],
];
const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, extraHTTPHeaders: { "Accept-Language": language } });
const page = await context.newPage();
const devtools = await context.newCDPSession(page);
page.setDefaultTimeout(60000);
let complaints = [];
page.on("console", (m) => { if (m.type() === "error" || m.type() === "warning") complaints.push(m.text()); });
page.on("pageerror", (e) => complaints.push(String(e)));
const led = (r) => r.isNavigationRequest() && beyond.some((site) => r.url().startsWith(site + "/"));
page.on("request", (r) => { if (!r.url().startsWith(origin) && !r.url().startsWith("data:") && !led(r)) complaints.push("asks for " + r.url()); });

async function look(name) {
  for (const [device, width, height, scheme, checked] of looks) {
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    if (wide > 0) complaints.push(`${device}: the page is ${wide} pixels wider than the screen`);
    if (shots) {
      mkdirSync(shots, { recursive: true });
      await page.screenshot({ path: `${shots}/${name}-${device}-${scheme}.png`, fullPage: true });
    }
    if (!checked) continue;
    // The content security policy keeps scripts out of the page; this one comes by the debugger.
    if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe);
    const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"], elementRef: false,
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] }).then((r) => r.violations));
    for (const v of found) {
      if (v.impact === "serious" || v.impact === "critical") complaints.push(`axe, ${device} ${scheme}: ${v.id}: ${v.help}: ${v.nodes.map((n) => n.target.join(" ")).join("; ")}`);
    }
  }
  await page.setViewportSize({ width: 1280, height: 900 });
  await hear();
  await tabs();
}

// hear looks at the page as a screen reader does, by the browser's tree of what is there.
async function hear() {
  const { nodes } = await devtools.send("Accessibility.getFullAXTree");
  const named = new Set(["button", "link", "textbox", "searchbox", "checkbox", "radio", "combobox", "listbox", "spinbutton", "progressbar", "meter", "image", "img", "region", "navigation", "search", "log", "table", "DisclosureTriangle", "RootWebArea"]);
  const count = {};
  for (const n of nodes) {
    if (n.ignored) continue;
    const role = n.role?.value;
    count[role] = (count[role] ?? 0) + 1;
    if (named.has(role) && !(n.name?.value ?? "").trim()) {
      // A table in a region that can scroll has the region's name; one search in a page needs none.
      if (role === "table" || role === "search" && nodes.filter((m) => m.role?.value === "search").length === 1) continue;
      complaints.push(`a screen reader has no name for a ${role}: ${JSON.stringify(n.properties ?? [])}`);
    }
  }
  for (const one of ["main", "banner", "RootWebArea"]) if (count[one] !== 1) complaints.push(`a screen reader finds ${count[one] ?? 0} of ${one}`);
  const heads = nodes.filter((n) => !n.ignored && n.role?.value === "heading").map((n) => n.properties?.find((p) => p.name === "level")?.value?.value);
  if (heads.filter((l) => l === 1).length !== 1) complaints.push(`${heads.filter((l) => l === 1).length} headings of the first level`);
  const silent = await page.evaluate(() => [...document.querySelectorAll("[role=status],[role=alert],[role=log]")].filter((e) => e.closest("[aria-hidden=true]")).length);
  if (silent) complaints.push(`${silent} places that tell of news are hidden from screen readers`);
}

const reachable = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']";

// tabs goes through the page with the tabulator: everything that can be used is reached, in the order of the page,
// with a mark to be seen around it, and the first is the way past the navigation.
let walked = false; // through a navigation, which is the same on all pages
async function tabs() {
  const wanted = await page.evaluate(([what, walked]) => {
    const within = walked ? document.querySelector("main") : document.body;
    const start = document.createElement("span");
    start.tabIndex = -1;
    within.prepend(start);
    start.focus();
    start.remove(); // the tabulator goes on from there
    const radios = new Set();
    window.wanted = [...within.querySelectorAll(what)].filter((e) => {
      if (!e.checkVisibility({ visibilityProperty: true }) || e.disabled || e.tabIndex < 0) return false;
      if (e.type !== "radio") return true;
      const group = e.form ? [...e.form.elements].filter((o) => o.name === e.name) : [e];
      const chosen = group.find((o) => o.checked);
      if (chosen ? chosen !== e : radios.has(e.name)) return false; // the others by the arrow keys
      radios.add(e.name);
      return true;
    });
    return window.wanted.length;
  }, [reachable, walked]);
  const most = Math.min(wanted, 60);
  for (let i = 0; i < most; i++) {
    await page.keyboard.press("Tab");
    const wrong = await page.evaluate(([i, walked]) => {
      const at = document.activeElement, want = window.wanted[i], name = (e) => e.outerHTML.slice(0, 120);
      if (at !== want) return `the ${i + 1}. press of the tabulator leads to ${name(at)}, not ${name(want)}`;
      const style = getComputedStyle(at);
      if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) return `no mark around ${name(at)}`;
      const box = at.getBoundingClientRect();
      if (box.bottom <= 0 || box.top >= innerHeight || box.right <= 0 || box.left >= innerWidth) return `out of sight: ${name(at)}`;
      if (i === 0 && !walked && at.className !== "skip") return "the first is no way past the navigation";
      return "";
    }, [i, walked]);
    if (wrong) {
      complaints.push(wrong);
      return;
    }
  }
  walked ||= (await page.locator(".nav").count()) > 0;
}

// reach presses the tabulator until an element has the focus.
async function reach(at) {
  const found = page.locator(at).first();
  await found.waitFor();
  const element = await found.evaluateHandle((e, what) => e.closest(what) ?? e.closest("label")?.control ?? e, reachable);
  const most = 2 + 2 * (await page.evaluate((what) => document.querySelectorAll(what).length, reachable));
  for (let i = 0; i < most; i++) {
    if (await element.evaluate((e) => e === document.activeElement)) return element;
    // Of radio buttons the tabulator reaches one; the arrows lead to the others.
    const near = await element.evaluate((e) => e.type === "radio" && document.activeElement.type === "radio" && e.name === document.activeElement.name);
    await page.keyboard.press(near ? "ArrowDown" : "Tab");
  }
  throw new Error(`the keyboard does not lead to ${at}`);
}

async function click(at) {
  if (!keyboard) return page.click(at);
  const element = await reach(at);
  await page.keyboard.press(await element.evaluate((e) => ["checkbox", "radio"].includes(e.type) ? "Space" : "Enter"));
}

async function fill(at, text) {
  if (!keyboard) return page.fill(at, text);
  await reach(at);
  await page.keyboard.press("Control+A");
  await page.keyboard.press("Delete");
  await page.keyboard.type(text);
}

async function check(at, on) {
  if (!keyboard) return on ? page.check(at) : page.uncheck(at);
  const element = await reach(at);
  if ((await element.evaluate((e) => e.checked)) !== on) await page.keyboard.press("Space");
  if ((await element.evaluate((e) => e.checked)) !== on) throw new Error(`the space bar does not change ${at}`);
}

async function step(s) {
  switch (s.do) {
    case "go": {
      const r = await page.goto(origin + s.path, { waitUntil: "load" });
      if (r.status() !== (s.status ?? 200)) throw new Error(`${s.path}: status ${r.status()}`);
      return {};
    }
    case "fill": await fill(s.at, s.text); return {};
    case "check": await check(s.at, true); return {};
    case "uncheck": await check(s.at, false); return {};
    case "file": if (keyboard) await reach(s.at); await page.setInputFiles(s.at, s.text); return {};
    case "select": await page.selectOption(s.at, s.text); return {};
    case "click": await Promise.all([page.waitForLoadState("load"), click(s.at)]); await page.waitForLoadState("load"); return {};
    case "press": await page.keyboard.press(s.text); return {};
    case "focus": await page.waitForFunction((at) => document.activeElement?.matches(at), s.at); return {};
    case "see": // sentences may stand in brackets, see page.Pseudo
      await page.waitForFunction((want) => document.body?.innerText.replace(/[⟦⟧]/g, "").replace(/\s+/g, " ").toLowerCase().includes(want), s.text.replace(/\s+/g, " ").toLowerCase(), { polling: 100 });
      return {};
    case "text": return { text: (await page.innerText("body")).replace(/[⟦⟧]/g, "") };
    case "html": return { text: await page.content() };
    case "at": return { text: page.url().slice(origin.length) };
    case "look": await look(s.text); return {};
  }
  throw new Error("no step " + s.do);
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = await step(JSON.parse(line));
  } catch (e) {
    answer = { failed: String(e) + "\nat " + page.url() + "\n" + (await page.innerText("body").catch(() => "")).slice(0, 1500) };
  }
  // What the browser says of statuses that were asked for is no complaint.
  const told = complaints.filter((c) => !/status of 4\d\d/.test(c));
  complaints = [];
  if (!answer.failed && told.length) answer.failed = [...new Set(told)].join("\n");
  console.log(JSON.stringify(answer));
}
await browser.close();
