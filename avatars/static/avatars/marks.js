// Shows the chosen photo with seventeen marks that are dragged, or moved with the arrow keys, to
// where the face has them. Without this script face points are posted as a file.
'use strict'

const SVG = 'http://www.w3.org/2000/svg'
const STEP_SHARE = 0.002

function element(name, attributes) {
  const made = document.createElementNS(SVG, name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  return made
}

class MarkedPhoto {
  constructor(box, field, image) {
    this.box = box
    this.field = field
    this.width = image.naturalWidth
    this.height = image.naturalHeight
    this.marks = JSON.parse(box.dataset.marks)
    this.points = this.marks.map(({ at }) => [at[0] * this.width, at[1] * this.height])
    this.said = document.createElement('p')
    this.said.setAttribute('aria-live', 'polite')
    this.drawing = element('svg', { viewBox: `0 0 ${this.width} ${this.height}` })
    this.grips = this.marks.map(() => this.makeGrip())
    this.dots = this.marks.map((mark, number) => this.makeDot(mark, number))
    const frame = document.createElement('div')
    frame.className = 'face-marks-photo'
    frame.append(image, this.drawing)
    box.replaceChildren(frame, this.said)
    box.hidden = false
    this.points.forEach((_, number) => this.show(number))
  }

  // What a finger needs around a mark, whatever the size in which the photo is shown: a dot of a
  // line, since the stroke of a circle smaller than itself has a hole.
  makeGrip() {
    const grip = element('path', { class: 'grip' })
    grip.addEventListener('pointerdown', (event) => this.drag(event))
    this.drawing.append(grip)
    return grip
  }

  makeDot(mark, number) {
    const radius = Math.max(3, this.width / 160)
    const dot = element('circle', { r: radius, class: 'mark', tabindex: 0, role: 'button', 'aria-label': mark.label })
    const title = element('title', {})
    title.textContent = mark.label
    dot.append(title)
    dot.addEventListener('pointerdown', (event) => this.drag(event))
    dot.addEventListener('keydown', (event) => this.nudge(event, number))
    dot.addEventListener('focus', () => this.say(number))
    this.drawing.append(dot)
    return dot
  }

  // Where a pointer is, in px of the photo.
  place(event) {
    const area = this.drawing.getBoundingClientRect()
    const share = this.width / area.width
    return [(event.clientX - area.left) * share, (event.clientY - area.top) * share]
  }

  // A finger covers several marks: it takes the nearest, which then stays beside it and in view.
  drag(event) {
    const [x, y] = this.place(event)
    const distances = this.points.map((point) => Math.hypot(point[0] - x, point[1] - y))
    const number = distances.indexOf(Math.min(...distances))
    const held = [this.points[number][0] - x, this.points[number][1] - y]
    const dot = this.dots[number]
    event.preventDefault()
    dot.focus()
    dot.setPointerCapture(event.pointerId)
    const move = (moved) => {
      const at = this.place(moved)
      this.move(number, at[0] + held[0], at[1] + held[1])
    }
    dot.addEventListener('pointermove', move)
    dot.addEventListener('lostpointercapture', () => dot.removeEventListener('pointermove', move), {
      once: true,
    })
  }

  nudge(event, number) {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }
    const way = ways[event.key]
    if (!way) return
    event.preventDefault()
    const step = Math.max(1, this.width * STEP_SHARE) * (event.shiftKey ? 8 : 1)
    const [x, y] = this.points[number]
    this.move(number, x + way[0] * step, y + way[1] * step)
  }

  move(number, x, y) {
    const inside = (value, side) => Math.min(Math.max(value, 0), side - 1)
    this.points[number] = [inside(x, this.width), inside(y, this.height)]
    this.show(number)
    this.write()
  }

  show(number) {
    const [x, y] = this.points[number]
    this.grips[number].setAttribute('d', `M${x.toFixed(1)} ${y.toFixed(1)}h0.01`)
    this.dots[number].setAttribute('cx', x.toFixed(1))
    this.dots[number].setAttribute('cy', y.toFixed(1))
  }

  say(number) {
    this.said.textContent = this.marks[number].label
  }

  // Only what somebody has set is sent: marks that nobody moved are no face.
  write() {
    const points = this.points.map(([x, y]) => [Number(x.toFixed(1)), Number(y.toFixed(1))])
    this.field.value = JSON.stringify({ width_px: this.width, height_px: this.height, points })
  }
}

function openPhoto(box, field, file) {
  field.value = ''
  box.hidden = true
  box.replaceChildren()
  if (!file || !file.type.startsWith('image/')) return
  const image = new Image()
  const address = URL.createObjectURL(file)
  image.addEventListener('load', () => new MarkedPhoto(box, field, image))
  image.addEventListener('error', () => URL.revokeObjectURL(address))
  image.alt = ''
  image.src = address
}

// Django puts the scripts of a form into the head, before the form is there.
document.addEventListener('DOMContentLoaded', () => {
  for (const box of document.querySelectorAll('.face-marks')) {
    const photo = document.getElementById(box.dataset.photo)
    const field = box.previousElementSibling
    photo?.addEventListener('change', () => openPhoto(box, field, photo.files[0]))
  }
})
