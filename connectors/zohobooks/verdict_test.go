package zohobooks_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/booksync/booksync/connectors/zohobooks"
)

func TestVerdict(t *testing.T) {
	t.Parallel()
	const get, post, put = http.MethodGet, http.MethodPost, http.MethodPut
	type E = zohobooks.Error
	api := func(method string, status, code int) error {
		return &E{Method: method, Path: "/x", Status: status, Code: code}
	}
	keyed := func(status, code int) error {
		return &E{Method: post, Path: "/invoices", Status: status, Code: code, Keyed: true}
	}
	doubt := func(status, code int, err error) error {
		return &E{Method: post, Path: "/x", Status: status, Code: code, MaybeWritten: true, Err: err}
	}
	notSent := fmt.Errorf("%w: dialling", zohobooks.ErrNotSent)
	lost := fmt.Errorf("%w: EOF", zohobooks.ErrLost)
	unreadable := fmt.Errorf("%w: text/html", zohobooks.ErrUnreadable)
	for name, tt := range map[string]struct {
		err    error
		action zohobooks.Action
		after  time.Duration
		reason string
		outage bool
	}{
		"no error": {nil, zohobooks.ActionNone, 0, "ok", false},

		// Every code of the error table.
		"2 invalid value":                     {api(post, 400, 2), zohobooks.ActionReject, 0, "invalid_value", false},
		"4 invalid element":                   {api(post, 400, 4), zohobooks.ActionReject, 0, "invalid_element", false},
		"4 on a keyed create is not sure":     {keyed(400, 4), zohobooks.ActionAlreadyExists, 0, "unlisted", false},
		"5 invalid URL":                       {api(get, 404, 5), zohobooks.ActionReject, 0, "invalid_url", false},
		"11 missing value":                    {api(post, 400, 11), zohobooks.ActionReject, 0, "missing_value", false},
		"15 too long":                         {api(post, 400, 15), zohobooks.ActionReject, 0, "value_too_long", false},
		"15 on a keyed create is not sure":    {keyed(400, 15), zohobooks.ActionAlreadyExists, 0, "unlisted", false},
		"14 no authentication":                {api(get, 401, 14), zohobooks.ActionStop, time.Minute, "not_authorized", false},
		"37 method not allowed":               {api(put, 405, 37), zohobooks.ActionReject, 0, "method_not_allowed", false},
		"44 minute limit":                     {api(post, 429, 44), zohobooks.ActionWaitOrganization, time.Minute, "minute_limit", false},
		"44 with another status":              {api(post, 400, 44), zohobooks.ActionWaitOrganization, time.Minute, "minute_limit", false},
		"45 until the reset":                  {&E{Method: post, Status: 429, Code: 45, DayReset: 5 * time.Hour}, zohobooks.ActionWaitOrganization, 5 * time.Hour, "day_limit", false},
		"45 without a reset":                  {api(post, 429, 45), zohobooks.ActionWaitOrganization, time.Hour, "day_limit", false},
		"57 not authorised":                   {api(post, 401, 57), zohobooks.ActionStop, time.Minute, "not_authorized", false},
		"57 in the clothes of a success":      {api(get, 200, 57), zohobooks.ActionStop, time.Minute, "not_authorized", false},
		"1000 on a read":                      {api(get, 500, 1000), zohobooks.ActionRetry, time.Second, "server_error", true},
		"1000 on a write":                     {doubt(500, 1000, nil), zohobooks.ActionInDoubt, time.Second, "server_error", true},
		"1001 exists":                         {api(post, 400, 1001), zohobooks.ActionAlreadyExists, 0, "exists", false},
		"1002 on a read":                      {api(get, 404, 1002), zohobooks.ActionMissing, 0, "missing", false},
		"1002 with status 400 on a read":      {api(get, 400, 1002), zohobooks.ActionMissing, 0, "missing", false},
		"1002 on a write":                     {api(post, 404, 1002), zohobooks.ActionReject, 0, "missing", false},
		"1002 on a keyed create":              {keyed(404, 1002), zohobooks.ActionReject, 0, "missing", false},
		"1038 not well formed":                {api(post, 400, 1038), zohobooks.ActionReject, 0, "not_well_formed", false},
		"1070 concurrency":                    {api(get, 429, 1070), zohobooks.ActionWaitOrganization, time.Second, "concurrency", false},
		"3004 customer":                       {keyed(400, 3004), zohobooks.ActionReject, 0, "customer_invalid", false},
		"3009 credits applied":                {api(put, 400, 3009), zohobooks.ActionReject, 0, "credits_applied", false},
		"3010 payments recorded":              {api(put, 400, 3010), zohobooks.ActionReject, 0, "payments_recorded", false},
		"3062 contact exists":                 {keyed(400, 3062), zohobooks.ActionAlreadyExists, 0, "contact_exists", false},
		"4001 payments recorded":              {api(post, 400, 4001), zohobooks.ActionReject, 0, "payments_recorded", false},
		"4097 auto numbering":                 {keyed(400, 4097), zohobooks.ActionStop, time.Minute, "auto_numbering", false},
		"6041 not a user":                     {api(get, 401, 6041), zohobooks.ActionStop, time.Minute, "not_authorized", false},
		"6041 with status 400":                {api(get, 400, 6041), zohobooks.ActionStop, time.Minute, "not_a_user_of_the_organization", false},
		"9521 retainer":                       {api(post, 400, 9521), zohobooks.ActionReject, 0, "retainer", false},
		"9523 retainer":                       {api(post, 400, 9523), zohobooks.ActionReject, 0, "retainer", false},
		"12003 credit note closed":            {api(post, 400, 12003), zohobooks.ActionReject, 0, "credit_note_closed", false},
		"12004 credit note void":              {api(post, 400, 12004), zohobooks.ActionReject, 0, "credit_note_void", false},
		"12005 draft":                         {api(post, 400, 12005), zohobooks.ActionMarkSentFirst, 0, "invoice_is_draft", false},
		"12006 closed":                        {api(post, 400, 12006), zohobooks.ActionReject, 0, "invoice_closed", false},
		"12007 void":                          {api(post, 400, 12007), zohobooks.ActionReject, 0, "invoice_void", false},
		"12008 credits applied":               {api(post, 400, 12008), zohobooks.ActionReject, 0, "credits_applied", false},
		"12018 number exists":                 {keyed(400, 12018), zohobooks.ActionAlreadyExists, 0, "number_exists", false},
		"24016 above the balance":             {keyed(400, 24016), zohobooks.ActionReread, 0, "above_balance", false},
		"36023 line invoiced":                 {api(put, 400, 36023), zohobooks.ActionReject, 0, "line_invoiced", false},
		"36026 already invoiced":              {api(post, 400, 36026), zohobooks.ActionAlreadyExists, 0, "already_invoiced", false},
		"103001 trial over":                   {api(post, 400, 103001), zohobooks.ActionStop, time.Minute, "trial_over", false},
		"103001 on a keyed create":            {keyed(400, 103001), zohobooks.ActionStop, time.Minute, "trial_over", false},
		"108004 paid through":                 {api(post, 400, 108004), zohobooks.ActionReject, 0, "paid_through_account", false},
		"unlisted":                            {api(post, 400, 99999), zohobooks.ActionReject, 0, "unlisted", false},
		"unlisted on a keyed create":          {keyed(400, 99999), zohobooks.ActionAlreadyExists, 0, "unlisted", false},
		"unlisted with 200 on a keyed create": {keyed(200, 99999), zohobooks.ActionAlreadyExists, 0, "unlisted", false},
		"unlisted 404 on a read":              {api(get, 404, 99999), zohobooks.ActionMissing, 0, "missing", false},

		// Transport and answers that are none.
		"429 without a body":             {&E{Method: post, Status: 429, Err: unreadable}, zohobooks.ActionWaitOrganization, time.Minute, "minute_limit", false},
		"429 with Retry-After":           {&E{Method: post, Status: 429, Code: 44, RetryAfter: 3 * time.Minute}, zohobooks.ActionWaitOrganization, 3 * time.Minute, "minute_limit", false},
		"1070 with Retry-After":          {&E{Method: post, Status: 429, Code: 1070, RetryAfter: 9 * time.Second}, zohobooks.ActionWaitOrganization, 9 * time.Second, "concurrency", false},
		"401 without a body":             {&E{Method: post, Status: 401, Err: unreadable}, zohobooks.ActionStop, time.Minute, "not_authorized", false},
		"502 HTML on a write":            {doubt(502, 0, unreadable), zohobooks.ActionInDoubt, time.Second, "server_error", true},
		"502 HTML on a read":             {&E{Method: get, Status: 502, Err: unreadable}, zohobooks.ActionRetry, time.Second, "server_error", true},
		"503 with Retry-After on a read": {&E{Method: get, Status: 503, Err: unreadable, RetryAfter: time.Minute}, zohobooks.ActionRetry, time.Minute, "server_error", true},
		"answer lost on a write":         {doubt(0, 0, lost), zohobooks.ActionInDoubt, time.Second, "lost", true},
		"answer lost on a read":          {&E{Method: get, Err: lost}, zohobooks.ActionRetry, time.Second, "lost", true},
		"unreadable success of a write":  {doubt(200, 0, unreadable), zohobooks.ActionInDoubt, time.Second, "unreadable", true},
		"unreadable success of a read":   {&E{Method: get, Status: 200, Err: unreadable}, zohobooks.ActionRetry, time.Second, "unreadable", true},
		"404 HTML on a read":             {&E{Method: get, Status: 404, Err: unreadable}, zohobooks.ActionRetry, time.Second, "unreadable", true},
		"not sent":                       {&E{Method: post, Err: notSent}, zohobooks.ActionRetry, time.Second, "not_sent", true},
		"not sent since interrupted":     {&E{Method: post, Err: fmt.Errorf("%w: %w", zohobooks.ErrNotSent, context.Canceled)}, zohobooks.ActionRetry, time.Second, "not_sent", false},

		// Before the call.
		"refresh token revoked":       {&zohobooks.AuthError{Code: "invalid_code", Permanent: true, RetryAfter: 10 * time.Minute}, zohobooks.ActionStop, 10 * time.Minute, "credentials", false},
		"client unknown":              {&zohobooks.AuthError{Code: "invalid_client", Permanent: true}, zohobooks.ActionStop, time.Minute, "credentials", false},
		"too many token requests":     {&zohobooks.AuthError{Code: "Access Denied", RetryAfter: 10 * time.Minute}, zohobooks.ActionWaitOrganization, 10 * time.Minute, "token_requests_refused", false},
		"accounts server down":        {&zohobooks.AuthError{Code: zohobooks.AuthUnreachable, RetryAfter: time.Minute}, zohobooks.ActionWaitOrganization, time.Minute, "accounts_server", true},
		"interrupted while waiting":   {&zohobooks.AuthError{Code: zohobooks.AuthInterrupted, Err: context.Canceled}, zohobooks.ActionRetry, 0, "interrupted", false},
		"token store down":            {&zohobooks.AuthError{Code: zohobooks.AuthStore, Err: errors.New("x")}, zohobooks.ActionRetry, time.Second, "token_store", false},
		"budget away":                 {&zohobooks.BudgetError{Err: errors.New("redis is away")}, zohobooks.ActionRetry, time.Second, "budget", false},
		"interrupted at the budget":   {&zohobooks.BudgetError{Err: context.DeadlineExceeded}, zohobooks.ActionRetry, 0, "interrupted", false},
		"paused, already over":        {&zohobooks.BudgetError{Err: &zohobooks.PausedError{Until: time.Unix(0, 0)}}, zohobooks.ActionWaitOrganization, 0, "paused", false},
		"search not conclusive":       {fmt.Errorf("searching: %w", zohobooks.ErrSearchIncomplete), zohobooks.ActionRetry, time.Minute, "search_incomplete", false},
		"request that cannot be made": {fmt.Errorf("%w: an id", zohobooks.ErrInvalidRequest), zohobooks.ActionReject, 0, "invalid_request", false},
		"somebody else's error":       {errors.New("x"), zohobooks.ActionRetry, time.Second, "unknown", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := tt.err
			if err != nil {
				err = fmt.Errorf("posting: %w", err)
			}
			d := zohobooks.Verdict(err)
			if d.Action != tt.action || d.After != tt.after || d.Reason != tt.reason || d.Outage != tt.outage {
				t.Errorf("got %v after %v, %q, outage %v; want %v after %v, %q, outage %v",
					d.Action, d.After, d.Reason, d.Outage, tt.action, tt.after, tt.reason, tt.outage)
			}
			var e *E
			if errors.As(err, &e) && d.Code != e.Code {
				t.Errorf("code %d, want %d", d.Code, e.Code)
			}
		})
	}
	paused := &zohobooks.PausedError{Until: time.Now().Add(time.Hour), Reason: "44"}
	if d := zohobooks.Verdict(paused); d.Action != zohobooks.ActionWaitOrganization || d.After < 59*time.Minute || d.After > time.Hour {
		t.Errorf("paused: %+v", d)
	}
}
