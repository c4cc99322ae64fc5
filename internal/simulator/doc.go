// Package simulator is a server that behaves as Zoho Books does on the wire: OAuth with its odd errors, contacts,
// items, invoices, customer payments, credit notes and their refunds, rate limits, uniqueness, the status machine, money,
// and a double-entry journal behind it all that says whether the books are right. It can be told to fail.
//
// It was written from Zoho's documents and recorded answers, and shares nothing with the client it is used to test: its
// own JSON, its own arithmetic. What Zoho has not confirmed is a named switch (Switches); what it got wrong on purpose is
// a Fault.
//
// Three doors: Handler for a test's own server, Start for a server of its own, and the control endpoints beside the API:
// GET /_simulator/ledger, GET /_simulator/calls, POST /_simulator/faults, POST /_simulator/reset.
//
// Order of reading: simulator.go (life), server.go (a request's way), books.go (what an organisation holds), totals.go
// and postings.go (money), invoices.go, payments.go, creditnotes.go, contacts.go (rules), *_json.go (answers),
// limits.go, oauth.go, faults.go.
package simulator
