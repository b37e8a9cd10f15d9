// Package crash kills the server at random moments while it works, and checks that nothing that
// was acknowledged is lost, doubled or out of order.
//
// What works meanwhile are sources of traffic; see source. Each has its own knowledge of what was
// acknowledged and its own checks, so that another one, such as a bridge, is one more file.
package crash
