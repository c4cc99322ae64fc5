// Package zohobooks is a client of the Zoho Books REST API (v3), one Client per organisation.
//
// Every call takes one path: a grant of the Limiter (each attempt spends one), an access token (refreshed once for the whole fleet through
// the TokenStore), the HTTP exchange, the limits in the answer's headers back to the grant, and a typed Error for everything that is
// not a plain success. Nothing is retried behind the caller's back but one thing: a call refused for its token (HTTP 401) is repeated once with a
// fresh one, because such a refusal comes before any effect. Whether a failed write may have taken effect is said by
// Error.MaybeWritten; what to do about any error is said by Verdict.
//
// Zoho ignores filters it does not know and answers the whole list, so the Find methods compare every row themselves. Amounts are
// decimals, never floats. Redirects are not followed and only listed hosts are spoken to, because every request carries a token.
package zohobooks
