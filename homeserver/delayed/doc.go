// Package delayed sends events at a later time (MSC4140): it keeps what is scheduled in the store,
// waits for the next one's time, and proposes it to its room. It survives restarts; what fell due
// in between is sent at once. Who may schedule and change what is the client API's to know.
package delayed
