// Package page is the frame of all pages that the server shows to people: layout, style sheet,
// security headers, protection of forms from other sites (CSRF), the browser's sign-in, and short
// messages that survive a redirect.
//
// Pages ask no other site for anything and run no script that is not a file of this package. What
// must not live here: what pages are about, and anything that knows of Matrix or of the store; who
// is signed in is asked of a Keeper.
package page
