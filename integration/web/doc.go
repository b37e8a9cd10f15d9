// Package web drives the pages of the real binary with headless Chromium, as people and
// administrators use them: at the widths of a phone and of a desktop, in light and dark, with a
// checker of accessibility, and with an eye on what the browser complains of.
package web
