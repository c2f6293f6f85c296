import { mount, type ComponentMountingOptions } from '@vue/test-utils'
import { createPinia, setActivePinia } from 'pinia'
import type { Component } from 'vue'
import { createMemoryHistory, createRouter } from 'vue-router'

import { i18n } from '@/i18n'

// jsdom has dialogs without their methods.
HTMLDialogElement.prototype.showModal = function () {
  this.open = true
}
HTMLDialogElement.prototype.close = function () {
  this.open = false
  this.dispatchEvent(new Event('close'))
}

export const blankPage = { template: '<p>page</p>' }

/** A router with the app's names and nothing behind them. */
export function createTestRouter() {
  const names = ['watch', 'console'].map((name) => ({ path: `/${name}/:id/`, name, component: blankPage }))
  const routes = [
    ...names,
    { path: '/', component: blankPage },
    { path: '/studio/', name: 'studio', component: blankPage },
    { path: '/studio/voices/', name: 'voices', component: blankPage },
    { path: '/studio/presenters/', name: 'presenters', component: blankPage },
    { path: '/studio/presenters/:id/', name: 'presenter', component: blankPage },
    { path: '/studio/integrations/', name: 'integrations', component: blankPage },
    { path: '/sign-in/', name: 'sign-in', component: blankPage },
  ]
  return createRouter({ history: createMemoryHistory(), routes })
}

/** Mount with the real stores, texts (English) and a router. */
export function mountApp<T extends Component>(component: T, options: ComponentMountingOptions<any> = {}) {
  const pinia = createPinia()
  setActivePinia(pinia)
  i18n.global.locale.value = 'en'
  const router = createTestRouter()
  const plugins = [pinia, i18n, router]
  const wrapper = mount(component as Component, {
    attachTo: document.body,
    ...options,
    global: { ...options.global, plugins },
  })
  return { wrapper, router, pinia }
}
