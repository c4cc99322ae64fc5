package simulator

import (
	"fmt"
	"net/http"
	"strings"
)

// failure is a refusal as Zoho words it. Codes and messages: dossier 5.
type failure struct {
	status  int
	code    int
	message string
	retry   int  // Retry-After in seconds, 0: no header
	bare    bool // without the x-rate-limit headers
	html    bool // message is a page, as proxies answer
}

// Codes marked with a star are guesses: the dossier knows the message, or nothing.
const (
	codeInvalidValue    = 2
	codeInvalidElement  = 4  // *
	codeInvalidURL      = 5  // *
	codeMissing         = 11 // *
	codeUnauthenticated = 14
	codeTooLong         = 15 // *
	codeMethod          = 37 // *
	codeMinute          = 44
	codeDay             = 45
	codeUnauthorized    = 57
	codeInternal        = 1000
	codeExists          = 1001
	codeNotFound        = 1002
	codeJSON            = 1038
	codeConcurrent      = 1070
	codeCustomer        = 3004
	codeCustomerBound   = 3010
	codeContactName     = 3062
	codeHasPayments     = 4001
	codeAutoNumber      = 4097
	codeNotInOrg        = 6041 // *
	codeNoteClosed      = 12003
	codeNoteVoid        = 12004
	codeInvoiceDraft    = 12005
	codeInvoiceClosed   = 12006
	codeInvoiceVoid     = 12007
	codeHasCredits      = 12008
	codeAboveCredit     = 12010 // *
	codeNoteNumber      = 12018
	codeAboveBalance    = 24016
	codeDraftPayment    = 24019  // *
	codeLocked          = 28503  // *
	codeDuplicateField  = 120203 // *
	codeUnknownField    = 120204 // *
	codeNotUnique       = 120205 // *
	codeStatus          = 1009   // * a status change that the status does not allow
	codeInUse           = 1010   // * something that is used cannot go
)

func refuse(status, code int, message string) *failure {
	return &failure{status: status, code: code, message: message}
}

func invalidValue(field string) *failure {
	return refuse(http.StatusBadRequest, codeInvalidValue, "Invalid value passed for "+title(field))
}

func missingValue(field string) *failure {
	return refuse(http.StatusBadRequest, codeMissing, fmt.Sprintf("Please enter a value for %s.", title(field)))
}

func tooLong(field string, limit int) *failure {
	return refuse(http.StatusBadRequest, codeTooLong,
		fmt.Sprintf("Please ensure that the %s has less than %d characters.", field, limit))
}

func notFound(what string) *failure {
	return refuse(http.StatusNotFound, codeNotFound, what+" does not exist.")
}

var errBadJSON = refuse(http.StatusBadRequest, codeJSON, "JSON is not well formed")

// title spells a field name as Zoho's messages do: payment_terms is Payment Terms.
func title(field string) string {
	words := strings.Split(field, "_")
	for i, w := range words {
		if w != "" {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, " ")
}
