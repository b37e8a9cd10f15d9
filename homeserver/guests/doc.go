// Package guests keeps guests out of rooms that do not want them: specification, "Guest access". Whether a
// guest may do something else is for the client API to say.
package guests
