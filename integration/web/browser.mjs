// Drives a browser through steps that are read from standard input, a JSON object a line, and answers
// each with a line: {} or {"failed": "..."}, and with text where it was asked for.
import { chromium } from "playwright-core";
import { readFileSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const [program, origin, shots] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: program, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });
const looks = [
  ["phone", 390, 844, "light"], ["phone", 390, 844, "dark"],
  ["desktop", 1280, 900, "light"], ["desktop", 1280, 900, "dark"],
];
const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
const page = await context.newPage();
page.setDefaultTimeout(60000);
let complaints = [];
page.on("console", (m) => { if (m.type() === "error" || m.type() === "warning") complaints.push(m.text()); });
page.on("pageerror", (e) => complaints.push(String(e)));
page.on("request", (r) => { if (!r.url().startsWith(origin) && !r.url().startsWith("data:")) complaints.push("asks for " + r.url()); });

async function look(name) {
  for (const [device, width, height, scheme] of looks) {
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    if (wide > 0) complaints.push(`${device}: the page is ${wide} pixels wider than the screen`);
    if (shots) {
      mkdirSync(shots, { recursive: true });
      await page.screenshot({ path: `${shots}/${name}-${device}-${scheme}.png`, fullPage: true });
    }
    // The content security policy keeps scripts out of the page; this one comes by the debugger.
    await page.evaluate(axe);
    const found = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] }));
    for (const v of found.violations) {
      if (v.impact === "serious" || v.impact === "critical") complaints.push(`axe, ${device} ${scheme}: ${v.id}: ${v.help}: ${v.nodes.map((n) => n.target.join(" ")).join("; ")}`);
    }
  }
  await page.setViewportSize({ width: 1280, height: 900 });
}

async function step(s) {
  switch (s.do) {
    case "go": {
      const r = await page.goto(origin + s.path, { waitUntil: "load" });
      if (r.status() !== (s.status ?? 200)) throw new Error(`${s.path}: status ${r.status()}`);
      return {};
    }
    case "fill": await page.fill(s.at, s.text); return {};
    case "check": await page.check(s.at); return {};
    case "uncheck": await page.uncheck(s.at); return {};
    case "file": await page.setInputFiles(s.at, s.text); return {};
    case "select": await page.selectOption(s.at, s.text); return {};
    case "click": await Promise.all([page.waitForLoadState("load"), page.click(s.at)]); await page.waitForLoadState("load"); return {};
    case "see": await page.getByText(s.text).first().waitFor(); return {};
    case "text": return { text: await page.innerText("body") };
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
