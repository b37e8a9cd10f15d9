// Somebody signs up and logs in by OAuth 2.0, with matrix-js-sdk's own functions and a real browser:
// node oauth.mjs URL CHROMIUM MAILBOX [FOLDER FOR PICTURES].
import { mkdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";
import { OAuth2 } from "matrix-js-sdk/lib/oauth/index.js";
import { TokenRefresher } from "matrix-js-sdk/lib/oauth/tokenRefresher.js";
import { assert, password, sdk, step, tell, until } from "./kit.mjs";

const [url, program, mailbox, shots] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

// The client: an app on this machine, which waits for the browser on the loopback interface.
let arrived;
const app = createServer((q, r) => {
    arrived = new URL(q.url, "http://localhost");
    r.end("<!DOCTYPE html><html lang=en><title>App</title><link rel=icon href=data:,><h1>Back in the app</h1>", "utf8");
});
await new Promise((done) => app.listen(0, "127.0.0.1", done));
const redirect = `http://127.0.0.1:${app.address().port}/callback`;
const metadata = { client_name: "Test App", client_uri: "https://app.example.org/", application_type: "native", redirect_uris: ["http://127.0.0.1/callback"],
    tos_uri: "https://app.example.org/tos", policy_uri: "https://app.example.org/privacy" };

const browser = await chromium.launch({ executablePath: program, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });
const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
const page = await context.newPage();
page.setDefaultTimeout(60000);
let complaints = [];
page.on("console", (m) => { if (m.type() === "error" || m.type() === "warning") complaints.push(`${m.text()} (${page.url()})`); });
page.on("pageerror", (e) => complaints.push(String(e)));
page.on("request", (r) => { if (![url, "data:", redirect].some((ours) => r.url().startsWith(ours))) complaints.push("asks for " + r.url()); });

const looks = [["phone", 390, 844, "light"], ["phone", 390, 844, "dark"], ["desktop", 1280, 900, "light"], ["desktop", 1280, 900, "dark"]];

/** look checks a page on small and large screens, in light and dark, and takes its picture. */
async function look(name) {
    for (const [device, width, height, scheme] of looks) {
        await page.setViewportSize({ width, height });
        await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        assert.ok(wide <= 0, `${name}, ${device}: ${wide} pixels wider than the screen`);
        if (shots) {
            mkdirSync(shots, { recursive: true });
            await page.screenshot({ path: `${shots}/${name}-${device}-${scheme}.png`, fullPage: true });
        }
        // The page's policy keeps scripts out; this one comes by the debugger.
        await page.evaluate(axe);
        const found = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] }));
        for (const v of found.violations) {
            if (v.impact === "serious" || v.impact === "critical") complaints.push(`axe, ${name}, ${device} ${scheme}: ${v.id}: ${v.help}: ${v.nodes.map((n) => n.target.join(" ")).join("; ")}`);
        }
    }
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
}

const see = (text) => page.getByText(text).first().waitFor();
const press = (name) => Promise.all([page.waitForEvent("load"), page.getByRole("button", { name, exact: true }).first().click()]);

/** quiet makes sure that the browser had nothing to complain of but the statuses that were asked for. */
function quiet() {
    const told = complaints.filter((c) => !/status of 4\d\d/.test(c));
    complaints = [];
    assert.deepEqual(told, []);
}

let letters = 0;

/** letter waits for the next e-mail, to an address, and gives the address of the page that it leads to. */
async function letter(to, subject) {
    const m = await until("e-mail", async () => { const r = await fetch(`${mailbox}/${letters}`); return r.ok && r.json(); });
    letters++;
    assert.equal(m.to, to);
    assert.match(m.subject, subject);
    const link = m.text.match(/http:\S+/)[0];
    assert.ok(link.startsWith(url + "/"), link);
    return link;
}

/** part is a step after which the browser must have been quiet. */
const part = (name, what) => step(name, async () => {
    const out = await what();
    quiet();
    return out;
});

/** crash has the server killed and started again. */
async function crash() {
    const again = new Promise((done) => process.stdin.once("data", done));
    process.stdin.resume();
    tell({ crash: true });
    await again;
    process.stdin.pause();
}

let meta, oauth, tokens, client;
const state = "the state of the app";

await part("discover and register", async () => {
    meta = await sdk.createClient({ baseUrl: url }).getAuthMetadata();
    const clientId = await OAuth2.registerClient(meta, metadata);
    assert.equal(await OAuth2.registerClient(meta, metadata), clientId);
    oauth = new OAuth2(meta, { clientId });
});

await part("sign up", async () => {
    await page.goto(await oauth.generateAuthorizationCodeGrantUrl(state, redirect, "query", "create"));
    await look("sign-up");
    await page.fill("#user", "alice");
    await page.fill("#password", "short123");
    await page.fill("#password", password);
    await page.keyboard.press("Enter");
    await see("Allow Test App?");
    await look("consent");
});

await part("allow, and exchange the code", async () => {
    await press("Allow");
    await see("Back in the app");
    assert.equal(arrived.searchParams.get("state"), state);
    await crash(); // the code is good all the same
    tokens = await oauth.completeAuthorizationCodeGrant(arrived.searchParams.get("code"), redirect);
    client = sdk.createClient({ baseUrl: url, accessToken: tokens.access_token });
    const who = await client.whoami();
    assert.equal(who.user_id, "@alice:test");
    assert.equal(who.device_id, oauth.context.deviceId);
});

await part("refresh", async () => {
    let kept;
    const refresher = new TokenRefresher(oauth, (t) => { kept = t; });
    const fresh = await refresher.refreshTokens(tokens.refresh_token);
    assert.equal(kept, fresh);
    assert.notEqual(fresh.accessToken, tokens.access_token);
    client.setAccessToken(fresh.accessToken);
    await client.whoami();
    await assert.rejects(() => sdk.createClient({ baseUrl: url, accessToken: tokens.access_token }).whoami(), (e) => e.errcode === "M_UNKNOWN_TOKEN");
    tokens = { access_token: fresh.accessToken, refresh_token: fresh.refreshToken };
});

await part("a refusal", async () => {
    await page.goto(await new OAuth2(meta, { clientId: oauth.context.clientId }).generateAuthorizationCodeGrantUrl(state, redirect, "query"));
    await press("Cancel");
    await see("Back in the app");
    assert.equal(arrived.searchParams.get("error"), "access_denied");
    assert.equal(arrived.searchParams.get("state"), state);
});

let tv;
await part("a device that shows a code", async () => {
    const device = new OAuth2(meta, { clientId: oauth.context.clientId });
    const session = await device.startDeviceAuthorizationGrant();
    await crash();
    const waiting = device.waitForDeviceAuthorizationGrant(session);
    await page.goto(session.verification_uri);
    await look("link");
    await page.fill("#user_code", "BBBB-BBBB");
    await press("Continue");
    await see("No device waits");
    await look("link-unknown");
    await page.fill("#user_code", session.user_code.toLowerCase());
    await press("Continue");
    await see("in front of you");
    await look("link-consent");
    await press("Allow");
    await see("Device connected");
    await look("link-done");
    const answer = await waiting;
    assert.ok(answer.access_token, JSON.stringify(answer));
    tv = sdk.createClient({ baseUrl: url, accessToken: answer.access_token });
    assert.equal((await tv.whoami()).device_id, device.context.deviceId);
});

await part("the account page", async () => {
    await page.goto(meta.account_management_uri);
    await look("profile");
    await page.fill("#name", "Alice Example");
    await press("Save");
    await see("Saved.");
    assert.equal((await client.getProfileInfo("@alice:test")).displayname, "Alice Example");
    const png = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");
    await page.setInputFiles("#picture", { name: "me.png", mimeType: "image/png", buffer: png });
    await press("Upload");
    await see("Remove the picture");
    await look("profile-picture");
    assert.match((await client.getProfileInfo("@alice:test")).avatar_url, /^mxc:\/\/test\//);
    await page.goto(meta.account_management_uri + "?action=org.matrix.devices_list");
    await see("Last active");
    await look("devices");
    const id = (await tv.whoami()).device_id;
    await page.goto(meta.account_management_uri + "?action=org.matrix.device_delete&device_id=" + encodeURIComponent(id));
    await see(id);
    await look("device");
    await page.fill("#name", "The television");
    await press("Save");
    await see("Saved.");
    assert.equal((await tv.getDevice(id)).display_name, "The television");
    await press("Sign out");
    await see("The device is signed out.");
    await assert.rejects(() => tv.whoami(), (e) => e.errcode === "M_UNKNOWN_TOKEN");
    await page.goto(url + "/account/password");
    await look("password");
    await page.fill("#old", "wrong");
    await page.fill("#new", password + "!");
    await press("Set password");
    await see("The current password is wrong.");
    await look("password-wrong");
});

await part("reset cross-signing", async () => {
    const encrypting = sdk.createClient({ baseUrl: url, accessToken: tokens.access_token, userId: "@alice:test", deviceId: oauth.context.deviceId });
    await encrypting.initRustCrypto({ useIndexedDB: false });
    const crypto = encrypting.getCrypto();
    await crypto.bootstrapCrossSigning({ authUploadDeviceSigningKeys: (send) => send(null) });
    const first = await crypto.getCrossSigningKeyId();
    let session, asked;
    const reset = crypto.bootstrapCrossSigning({ setupNewCrossSigning: true, authUploadDeviceSigningKeys: async (send) => {
        const e = await send(null).then(() => assert.fail("nothing was asked"), (e) => e);
        assert.equal(e.httpStatus, 401);
        session = e.data.session;
        asked = e.data.params["m.oauth"].url;
        await page.goto(asked);
        await see("An app of yours asks");
        await look("encryption");
        await press("Allow the reset for 10 minutes");
        await see("Reset allowed");
        await look("encryption-done");
        return send({ session });
    } });
    await reset;
    assert.ok(asked.startsWith(meta.account_management_uri + "?action=org.matrix.cross_signing_reset"), asked);
    assert.notEqual(await crypto.getCrossSigningKeyId(), first);
    encrypting.stopClient();
});

/** prove enters an e-mail address, opens the link that comes, in another tab, and goes back. */
async function prove(address, subject, asks, name) {
    await page.fill("#email", address);
    await press("Send me a link");
    await see("on its way to " + address);
    await look(name + "-sent");
    await press("I have opened the link");
    await see("not been confirmed yet");
    const tab = await context.newPage();
    await tab.goto(await letter(address.toLowerCase(), subject));
    if (asks) await Promise.all([tab.waitForEvent("load"), tab.getByRole("button", { name: "Yes, confirm it" }).click()]);
    await tab.getByText("The address is confirmed.").waitFor();
    await tab.close();
    await press("I have opened the link");
}

await part("e-mail addresses", async () => {
    await page.goto(url + "/account/email");
    await see("no e-mail address");
    await look("email");
    await prove("Alice@Example.org", /Confirm your address/, false, "email");
    await see("The address is added.");
    await look("email-added");
    assert.deepEqual((await client.getThreePids()).threepids.map((p) => p.address), ["alice@example.org"]);
    await prove("second@example.org", /Confirm your address/, false, "email-second");
    await see("The address is added.");
    await press("Remove second@example.org");
    await see("The address is removed.");
    assert.deepEqual((await client.getThreePids()).threepids.map((p) => p.address), ["alice@example.org"]);
});

await part("log out", async () => {
    await oauth.revokeToken(tokens.refresh_token, "refresh_token");
    await assert.rejects(() => client.whoami(), (e) => e.errcode === "M_UNKNOWN_TOKEN");
    await assert.rejects(() => oauth.performRefreshTokenGrant(tokens.refresh_token), (e) => e.httpStatus === 400);
    await page.goto(url + "/account/devices");
    await see("No device is signed in.");
    await page.goto(url + "/account");
    await press("Sign out of this page");
    await see("Sign in to test");
    await look("sign-in");
    await page.fill("#user", "alice");
    await page.fill("#password", "wrong");
    await press("Sign in");
    await see("is wrong");
    await look("sign-in-wrong");
});

let secret = password;
await part("a forgotten password", async () => {
    await page.goto(url + "/account/sign-in");
    await Promise.all([page.waitForEvent("load"), page.getByRole("link", { name: "Forgotten your password?" }).click()]);
    await look("reset");
    await page.fill("#email", "nobody@example.org");
    await press("Send me a link");
    await see("on its way to nobody@example.org"); // whether there is an account is told by the message alone
    await until("e-mail", async () => { const r = await fetch(`${mailbox}/${letters}`); return r.ok && /No account/.test((await r.json()).subject); });
    letters++;
    await page.goto(url + "/account/reset");
    await prove("alice@example.org", /new password/, true, "reset");
    await see("All your devices will be signed out");
    await look("reset-password");
    secret = "a new password for alice";
    await page.fill("#password", secret);
    await press("Set password");
    await page.goto(url + "/account");
    await see("alice@example.org");
    await look("profile-email");
    await press("Sign out of this page");
});

await part("a client of the legacy API", async () => {
    const legacy = sdk.createClient({ baseUrl: url });
    const flow = (await legacy.loginFlows()).flows.find((f) => f.type === "m.login.sso");
    assert.equal(flow.oauth_aware_preferred, true);
    await page.goto(legacy.getSsoLoginUrl(redirect, "sso"));
    await page.fill("#user", "alice");
    await page.fill("#password", secret);
    await press("Sign in");
    await see("will be able to read and write");
    await look("continue");
    await press("Continue");
    await see("Back in the app");
    const login = await legacy.loginRequest({ type: "m.login.token", token: arrived.searchParams.get("loginToken") });
    assert.equal(login.user_id, "@alice:test");
});

await part("by the keyboard alone", async () => {
    await page.goto(url + "/account");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to content");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
});

await part("an error", async () => {
    await page.goto(meta.authorization_endpoint + "?client_id=nobody");
    await see("not registered here");
    await look("error");
});

await part("close the account", async () => {
    await page.goto(meta.account_management_uri + "?action=org.matrix.account_deactivate");
    await look("close");
    await page.fill("#sure", "@alice:test");
    await press("Close the account for good");
    await see("Account closed");
});

await until("the browser to end", async () => { await browser.close(); return true; });
app.close();
tell({ done: true });
process.exit(0);
