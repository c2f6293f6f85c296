// Shows the settings of the chosen engine alone. Without this script those of all engines show,
// each under its title, and those of the others count for nothing.
'use strict'

const engine = document.getElementById('id_engine')

function show() {
  for (const part of document.querySelectorAll('fieldset.engine-settings')) {
    const isChosen = part.classList.contains(`engine-${engine.value}`)
    part.hidden = !isChosen || !part.querySelector('.form-row')
  }
}

if (engine) {
  engine.addEventListener('change', show)
  show()
}
