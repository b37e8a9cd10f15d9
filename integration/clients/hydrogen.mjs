// Two people chat with Hydrogen, a client that runs in a browser, from a page of another origin than the server's:
// node hydrogen.mjs URL CHROMIUM.
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { build } from "esbuild";
import { chromium } from "playwright-core";
import { assert, event, password, person, room, signUp, start, step, tell, text, until } from "./kit.mjs";

const [url, program] = process.argv.slice(2);
const require = createRequire(import.meta.url);
const olm = (file) => join(dirname(createRequire(require.resolve("hydrogen-view-sdk")).resolve("@matrix-org/olm/package.json")), file);

// The client as its authors start it, in one file.
const app = `
    import { createNavigation, createRouter, FeatureSet, Platform, RootViewModel } from "hydrogen-view-sdk";
    const assetPaths = { downloadSandbox: "/download-sandbox.html", worker: "/main.js", serviceWorker: "/sw.js", olm: { wasm: "/olm.wasm", legacyBundle: "/olm_legacy.js", wasmBundle: "/olm.js" } };
    const platform = new Platform({ container: document.body, assetPaths, config: { defaultHomeServer: location.hash.slice(1) }, options: { development: false } });
    await platform.init();
    const navigation = createNavigation();
    platform.setNavigation(navigation);
    const urlRouter = createRouter({ navigation, history: platform.history });
    urlRouter.attach();
    const root = new RootViewModel({ platform, urlRouter, navigation, features: await FeatureSet.load(platform.settingsStorage) });
    await root.load();
    platform.createAndMountRootView(root);
`;
const bundle = await build({ stdin: { contents: app, resolveDir: dirname(require.resolve("./kit.mjs")) }, bundle: true, format: "esm", write: false, logLevel: "error",
    external: ["crypto", "fs", "path"] });
const files = {
    "/": ["text/html", `<!DOCTYPE html><html lang=en><meta charset=utf-8><title>Hydrogen</title><link rel=icon href=data:,><link rel=stylesheet href=/theme-element-light.css><body class=hydrogen><script type=module src=/app.js></script>`],
    "/app.js": ["text/javascript", bundle.outputFiles[0].text],
    "/sw.js": ["text/javascript", readFileSync(join(dirname(require.resolve("hydrogen-view-sdk")), "sw.js"))],
    "/olm.js": ["text/javascript", readFileSync(olm("olm.js"))],
    "/olm_legacy.js": ["text/javascript", readFileSync(olm("olm_legacy.js"))],
    "/olm.wasm": ["application/wasm", readFileSync(olm("olm.wasm"))],
};
files["/index.html"] = files["/"]; // as the service worker calls it
const kinds = { js: "text/javascript", html: "text/html", css: "text/css", svg: "image/svg+xml", woff2: "font/woff2" };
const assets = dirname(require.resolve("hydrogen-view-sdk/assets/main.js"));
for (const name of readdirSync(assets)) {
    const kind = kinds[name.split(".").pop()];
    if (kind) files["/" + name] = [kind, readFileSync(join(assets, name))];
}
const web = createServer((q, r) => {
    const found = files[new URL(q.url, "http://localhost").pathname];
    r.writeHead(found ? 200 : 404, { "Content-Type": found?.[0] ?? "text/plain" }).end(found?.[1] ?? "not here");
});
await new Promise((done) => web.listen(0, "127.0.0.1", done));
const origin = `http://127.0.0.1:${web.address().port}`;

const browser = await chromium.launch({ executablePath: program, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });

/** open gives a browser of their own to somebody, and counts what goes wrong between it and the server. */
async function open() {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: "en-GB" });
    const page = await context.newPage();
    page.setDefaultTimeout(60000);
    page.broken = [];
    page.on("console", (m) => { if (/CORS|Access-Control/i.test(m.text())) page.broken.push(m.text()); });
    page.on("pageerror", (e) => page.broken.push(String(e)));
    page.on("response", (r) => { if (r.status() === 405 || r.status() >= 500) page.broken.push(`${r.status()} ${r.request().method()} ${r.url()}`); });
    await page.goto(`${origin}/`);
    return page;
}

/** logIn fills in the form. */
async function logIn(page, user) {
    await page.locator("input#homeserver").fill(url);
    await page.locator("input#homeserver").blur();
    await page.locator("input#username").fill(user);
    await page.locator("input#password").fill(password);
    await page.locator("button[type=submit]:not([disabled])").first().click();
}

const enter = (page, name) => page.locator(".RoomList").getByText(name, { exact: true }).first().click();
const says = async (page, body) => {
    await page.locator(".MessageComposer_input textarea").first().fill(body);
    await page.keyboard.press("Enter");
};
const sees = (page, body) => page.locator(".Timeline_messageBody", { hasText: body }).first().waitFor();

/** accept goes into a room that one was invited to. */
async function accept(page, name) {
    await enter(page, name);
    await page.getByRole("button", { name: "Accept" }).click();
    await page.locator(".MessageComposer_input textarea").first().waitFor();
}

let alice, bob, carol, open1, secret;

await step("sign up", async () => {
    for (const name of ["alice", "bob"]) await signUp(url, name);
    carol = person(url, await signUp(url, "carol"));
    await start(carol, "classic");
    open1 = (await carol.createRoom({ name: "Open", preset: "public_chat", invite: ["@alice:test", "@bob:test"] })).room_id;
});

await step("log in", async () => {
    [alice, bob] = [await open(), await open()];
    await Promise.all([logIn(alice, "alice"), logIn(bob, "bob")]);
});

await step("accept an invitation", () => Promise.all([accept(alice, "Open"), accept(bob, "Open")]));

await step("talk", async () => {
    await says(alice, "Good morning from a browser");
    await sees(bob, "Good morning from a browser");
    await sees(alice, "Good morning from a browser");
    const { event_id: id } = await carol.sendMessage(open1, text("And from an app"));
    for (const page of [alice, bob]) await sees(page, "And from an app");
    await event(carol, open1, id);
    await says(bob, "Heard you both");
    await sees(alice, "Heard you both");
    await until("carol to hear bob", async () => (await room(carol, open1)).getLiveTimeline().getEvents().some((e) => e.getContent().body === "Heard you both"));
});

await step("talk in secret", async () => {
    secret = (await carol.createRoom({ name: "Secret", invite: ["@alice:test", "@bob:test"], power_level_content_override: { users_default: 50 },
        initial_state: [{ type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } }] })).room_id;
    await Promise.all([accept(alice, "Secret"), accept(bob, "Secret")]);
    await says(alice, "Between you and me");
    await sees(bob, "Between you and me");
    await says(bob, "Nobody else");
    await sees(alice, "Nobody else");
    const seen = await until("the server to have it", async () => {
        const { chunk } = await carol.http.authedRequest("GET", `/rooms/${encodeURIComponent(secret)}/messages`, { dir: "b", limit: "20" });
        return chunk.filter((e) => e.type === "m.room.encrypted").length >= 2 && chunk;
    });
    assert.ok(!JSON.stringify(seen).includes("Between you and me"));
});

await step("reload, and a server that is started again", async () => {
    const again = new Promise((done) => process.stdin.once("data", done));
    tell({ crash: true });
    await again;
    process.stdin.pause();
    await alice.reload();
    await enter(alice, "Open");
    await sees(alice, "Heard you both");
    await says(alice, "Back again");
    await enter(bob, "Open");
    await sees(bob, "Back again");
});

await step("nothing was refused that a browser asked for", async () => assert.deepEqual([...alice.broken, ...bob.broken], []));

carol.stopClient();
tell({ done: true });
await browser.close();
web.close();
process.exit(0);
