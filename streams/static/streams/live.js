// Keeps the cards of the live page fresh and presses buttons without leaving it.
// Without this script the page works by reloading.
'use strict'

const cards = document.getElementById('live-cards')
const said = document.getElementById('live-said')
const stale = document.getElementById('live-stale')
const pictures = new WeakMap()
let isBusy = false

function parse(text) {
  return new DOMParser().parseFromString(text, 'text/html')
}

// What somebody types into stays as it is; everything else is taken from the server.
function isInUse(part) {
  if (part.matches('details') && part.open) return true
  const fields = part.querySelectorAll('input[name=text], input[type=password]')
  return [...fields].some((field) => field === document.activeElement || field.value !== '')
}

function replacePart(card, fresh) {
  const old = card.querySelector(`[data-part="${fresh.dataset.part}"]`)
  if (!old) {
    card.append(fresh)
    return
  }
  if (isInUse(old) || (fresh.dataset.part === 'say' && !old.dataset.sent)) return
  const focus = old.contains(document.activeElement) && document.activeElement.dataset.focus
  old.replaceWith(fresh)
  if (focus) fresh.querySelector(`[data-focus="${focus}"]`)?.focus()
}

function update(page) {
  const fresh = [...page.querySelectorAll('[data-card]')]
  const known = new Set(fresh.map((card) => card.id))
  for (const card of cards.querySelectorAll('[data-card]')) if (!known.has(card.id)) card.remove()
  for (const card of fresh) {
    const own = document.getElementById(card.id)
    if (!own) {
      cards.append(document.adoptNode(card))
      continue
    }
    const names = new Set()
    for (const part of [...card.querySelectorAll('[data-part]')]) {
      names.add(part.dataset.part)
      // The token and the key of a form differ each time; pictures are loaded on their own.
      const old = own.querySelector(`[data-part="${part.dataset.part}"]`)
      const hasPicture = old?.querySelector('img') && part.querySelector('img')
      if (!hasPicture) replacePart(own, document.adoptNode(part))
    }
    for (const part of own.querySelectorAll('[data-part]')) {
      if (!names.has(part.dataset.part)) part.remove()
    }
  }
  loadPictures()
}

async function loadPictures() {
  for (const image of cards.querySelectorAll('img[data-thumbnail]')) {
    const answer = await fetch(image.dataset.thumbnail).catch(() => null)
    if (!answer?.ok) continue
    const url = URL.createObjectURL(await answer.blob())
    image.src = url
    if (pictures.has(image)) URL.revokeObjectURL(pictures.get(image))
    pictures.set(image, url)
  }
}

async function refresh() {
  if (isBusy || document.hidden) return
  try {
    const answer = await fetch(cards.dataset.url, { redirect: 'error' })
    if (!answer.ok) throw new Error(String(answer.status))
    if (!isBusy) update(parse(await answer.text()))
    stale.hidden = true
  } catch {
    stale.hidden = false
  }
}

function tell(page) {
  const list = page.querySelector('.messagelist')
  said.replaceChildren(...(list ? [document.adoptNode(list)] : []))
  document.querySelector('main > .messagelist')?.remove()
  return !said.querySelector('.error')
}

async function press(event) {
  const form = event.target
  if (form.method !== 'post') return
  event.preventDefault()
  if (isBusy) return
  isBusy = true
  const body = new URLSearchParams(new FormData(form, event.submitter))
  try {
    const answer = await fetch(form.action, { method: 'POST', body })
    const page = parse(await answer.text())
    if (!answer.ok || !page.getElementById('live-cards')) {
      location.reload()
      return
    }
    if (tell(page)) {
      // Done: the line or key is used up, so the form may be replaced by a fresh one.
      for (const field of form.querySelectorAll('input:not([type=hidden])')) field.value = ''
      form.dataset.sent = 'yes'
      const details = form.closest('details')
      if (details) details.open = false
    }
    const focus = document.activeElement
    if (focus?.dataset.focus === 'text') focus.blur()
    update(page)
    if (focus?.dataset.focus === 'text') document.getElementById(focus.id)?.focus()
    stale.hidden = true
  } catch {
    stale.hidden = false
  } finally {
    isBusy = false
  }
}

cards.addEventListener('submit', press)
document.addEventListener('visibilitychange', refresh)
setInterval(refresh, Number(cards.dataset.seconds) * 1000)
loadPictures()
