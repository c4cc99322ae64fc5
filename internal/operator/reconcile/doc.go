// Package reconcile compares what the source topics say with what the outcomes say and with what Zoho Books holds, per
// transaction and in both directions, for one organisation and a window of its calendar days.
//
// The topics are streamed once: outcomes first, then events, up to the ends they had at the start. Of each transaction only
// a few numbers stay in memory, by its key (order:O1, payment:P1, refund:R1), so that memory follows the window, not the
// topics. Then the books are listed, 200 documents a call. Documents are known by the ids that outcomes name and by the key
// that they carry; single documents are opened only where list rows leave a doubt, or all of them when asked to. Before
// any call is made the number of calls is told, and refused when it is above what may be spent.
//
// The verdict on a transaction is one status; everything that differs is listed with it. Where event and outcome agree and
// the books do not, a person changed the document; where the outcome differs from the event, it was posted so. Each
// order's documents must add up besides: order - payments - refunds = balance.
package reconcile
