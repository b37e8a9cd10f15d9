// Package lottie holds what internal/lottie draws against what lottie-web, the player that browsers
// have, shows of the same documents, and looks at the files that become of them in a browser.
package lottie
