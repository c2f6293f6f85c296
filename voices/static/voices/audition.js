// Plays what the saved voice says to the text in the box. Without this script the sound downloads.
'use strict'

const form = document.querySelector('form.audition')
const player = form.querySelector('audio')
const said = form.querySelector('.audition-said')
const button = form.querySelector('button')
let address = ''

async function listen() {
  const answer = await fetch(form.action, { method: 'POST', body: new FormData(form) })
  if (!answer.ok) {
    const body = await answer.json().catch(() => ({}))
    throw new Error(body.message || form.dataset.failed)
  }
  URL.revokeObjectURL(address)
  address = URL.createObjectURL(await answer.blob())
  player.src = address
  player.hidden = false
  await player.play().catch(() => {})
}

form.addEventListener('submit', async (event) => {
  event.preventDefault()
  button.disabled = true
  said.textContent = ''
  try {
    await listen()
  } catch (error) {
    said.textContent = error instanceof TypeError ? form.dataset.failed : error.message
  } finally {
    button.disabled = false
  }
})
