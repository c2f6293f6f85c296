// What Django's own admin pages leave out: names for those who do not see the page, and where to look.
'use strict'

function nameInlineFields(table) {
  const headings = [...table.querySelectorAll('thead th')]
  for (const heading of headings) if (!heading.textContent.trim()) heading.setAttribute('role', 'presentation')
  for (const field of table.querySelectorAll('tbody td :is(input, select, textarea)')) {
    if (field.type === 'hidden' || field.labels?.length || field.ariaLabel) continue
    field.ariaLabel = headings[field.closest('td').cellIndex]?.textContent.trim() || field.name
  }
}

// Date and time of one moment are two fields under one heading; the word is text before the field.
function nameMoments() {
  for (const field of document.querySelectorAll('p.datetime input')) {
    const heading = field.closest('.form-row')?.querySelector('legend, label')?.textContent ?? ''
    const words = [heading, field.previousSibling?.textContent ?? '']
    field.ariaLabel = words.map((word) => word.replace(/[:：]/g, '').trim()).join(' ')
  }
}

// The browser's own button for files speaks the browser's language. The field itself stays: it keeps
// the focus and the keys, its label is the button that is seen.
function nameFilePickers() {
  for (const field of document.querySelectorAll('input[type=file][data-choose]')) {
    const button = document.createElement('label')
    const name = document.createElement('span')
    button.className = 'action'
    button.htmlFor = field.id
    button.textContent = field.dataset.choose
    name.className = 'file-name'
    name.setAttribute('aria-live', 'polite')
    const tell = () => {
      // The server would cut it off, and with it all that was typed into the form.
      const isTooLarge = field.files[0]?.size > Number(field.dataset.most)
      if (isTooLarge) field.value = ''
      name.classList.toggle('is-refused', isTooLarge)
      name.textContent = isTooLarge ? field.dataset.tooLarge : (field.files[0]?.name ?? field.dataset.none)
    }
    field.addEventListener('change', tell)
    field.form?.addEventListener('reset', () => setTimeout(tell))
    tell()
    const picker = document.createElement('span')
    picker.className = 'file-picker'
    field.replaceWith(picker)
    picker.append(field, button, name)
  }
}

// After Django's own scripts, which build the two lists of a many-to-many field on load.
window.addEventListener('load', () => {
  document.querySelectorAll('.inline-group table').forEach(nameInlineFields)
  for (const icon of document.querySelectorAll('.selector span[aria-label]')) icon.setAttribute('role', 'img')
  nameMoments()
  nameFilePickers()
  showNow()
})

// A timeline wider than the screen begins where the programme is, not at midnight.
function showNow() {
  const timeline = document.querySelector('.timeline')
  const marks = [...document.querySelectorAll('.timeline .now line')]
  if (!timeline || !marks.length) return
  const right = Math.max(...marks.map((mark) => mark.getBoundingClientRect().left))
  timeline.scrollLeft = right - timeline.getBoundingClientRect().left - timeline.clientWidth * 0.4
}
