// Package doctor looks for what keeps a server from working, from outside and from inside, and says
// how to mend it. It changes nothing.
//
// Checks run at the same time, each within a bound of its own, and each gives one or more findings.
// What must not live here: output for people, which the command and the console make.
package doctor
