// Package pagetest helps tests look at pages. Nothing that is shipped imports it.
package pagetest
