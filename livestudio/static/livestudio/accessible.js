// Names what Django's own admin pages leave without a name for those who do not see the page.
'use strict'

function nameInlineFields(table) {
  const headings = [...table.querySelectorAll('thead th')]
  for (const heading of headings) if (!heading.textContent.trim()) heading.setAttribute('role', 'presentation')
  for (const field of table.querySelectorAll('tbody td :is(input, select, textarea)')) {
    if (field.type === 'hidden' || field.labels?.length || field.ariaLabel) continue
    field.ariaLabel = headings[field.closest('td').cellIndex]?.textContent.trim() || field.name
  }
}

// After Django's own scripts, which build the two lists of a many-to-many field on load.
window.addEventListener('load', () => {
  document.querySelectorAll('.inline-group table').forEach(nameInlineFields)
  for (const icon of document.querySelectorAll('.selector span[aria-label]')) icon.setAttribute('role', 'img')
})
