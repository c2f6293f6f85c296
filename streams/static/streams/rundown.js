// The rundown of the show editor: two buttons move a cue, and the numbers follow; each kind of cue shows
// the fields that it has.
'use strict'

const group = document.getElementById('cues-group')
const words = document.querySelector('[data-rundown]')?.dataset

const cues = () => [...group.querySelectorAll('.inline-related:not(.empty-form)')]
const numberOf = (cue) => cue.querySelector('[name$="-position"]')

function renumber() {
  const all = cues()
  all.forEach((cue, index) => {
    numberOf(cue).value = index
    cue.querySelector('.move-up').disabled = index === 0
    cue.querySelector('.move-down').disabled = index === all.length - 1
  })
}

function move(cue, button, step) {
  const all = cues()
  const other = all[all.indexOf(cue) + step]
  if (!other) return
  if (step < 0) other.before(cue)
  else other.after(cue)
  renumber()
  if (button.disabled) cue.querySelector(step < 0 ? '.move-down' : '.move-up').focus()
  else button.focus()
}

function showKind(cue) {
  cue.dataset.kind = cue.querySelector('[name$="-kind"]').value
}

function addButtons(cue) {
  showKind(cue)
  cue.querySelector('[name$="-kind"]').addEventListener('change', () => showKind(cue))
  const place = document.createElement('span')
  place.className = 'moves'
  for (const [name, sign, step] of [['up', '↑', -1], ['down', '↓', 1]]) {
    const button = document.createElement('button')
    button.type = 'button'
    button.className = `action move-${name}`
    button.textContent = sign
    button.ariaLabel = words[name]
    button.title = words[name]
    button.addEventListener('click', () => move(cue, button, step))
    place.append(button)
  }
  cue.querySelector('h3').append(place)
}

// Django numbers the fields by their place in the page when a new cue is taken away again, and needs
// those that are saved first: they stand so while it does.
function standAsSaved() {
  const isNew = (cue) => Number(!cue.classList.contains('has_original'))
  const numberInName = (cue) => Number(/-(\d+)-/.exec(numberOf(cue).name)[1])
  place((a, b) => isNew(a) - isNew(b) || numberInName(a) - numberInName(b))
}

const standAsPlayed = () => place((a, b) => numberOf(a).value - numberOf(b).value)

function place(order) {
  const all = cues()
  const end = document.createComment('')
  all.at(-1)?.after(end)
  for (const cue of all.sort(order)) end.before(cue)
  end.remove()
}

if (group && words && numberOf(group)) {
  group.classList.add('has-moves')
  cues().forEach(addButtons)
  standAsPlayed()
  renumber()
  document.addEventListener('formset:added', (event) => {
    if (event.detail.formsetName !== 'cues') return
    addButtons(event.target)
    renumber()
  })
  document.addEventListener('formset:removed', (event) => {
    if (event.detail.formsetName !== 'cues') return
    standAsSaved()
    setTimeout(() => {
      standAsPlayed()
      renumber()
    })
  })
}
