// Package registrations gives a running server a folder of application-service registrations,
// good ones and ones with every kind of mistake, and looks at what it makes of them.
package registrations
