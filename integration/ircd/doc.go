// Package ircd starts real IRC servers for tests: Debian's ngircd, the bare
// minimum of a server (no message tags, nicks of nine characters), and inspircd,
// which knows most of IRCv3. Each runs as a child process on a free loopback
// port with its files in the test's temporary directory, and ends with the test.
//
// Nothing that is not a test belongs here.
package ircd
