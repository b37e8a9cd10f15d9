// Package preview finds out what web pages say of themselves, for clients that show links with
// title, description and picture.
//
// The addresses come from strangers, and so does what is found there: everything that is fetched
// is bounded in size and time, and the connections are made by a dialer that refuses addresses
// that only this server can reach. What is not about pages, such as keeping the pictures, is
// package media's.
package preview
