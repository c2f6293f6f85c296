import { createRouter, createWebHistory, type RouteLocationNormalized } from 'vue-router'

import { useSessionStore } from '@/stores/session'

declare module 'vue-router' {
  interface RouteMeta {
    needsSignIn?: boolean
  }
}

const routes = [
  {
    path: '/watch/:id/',
    name: 'watch',
    component: () => import('@/views/WatchView.vue'),
    props: true,
  },
  {
    path: '/studio/',
    name: 'studio',
    component: () => import('@/views/StudioView.vue'),
    meta: { needsSignIn: true },
  },
  {
    path: '/studio/broadcasts/:id/',
    name: 'console',
    component: () => import('@/views/ConsoleView.vue'),
    props: true,
    meta: { needsSignIn: true },
  },
  {
    path: '/studio/voices/',
    name: 'voices',
    component: () => import('@/views/VoicesView.vue'),
    meta: { needsSignIn: true },
  },
  {
    path: '/studio/presenters/',
    name: 'presenters',
    component: () => import('@/views/PresentersView.vue'),
    meta: { needsSignIn: true },
  },
  {
    path: '/studio/presenters/:id/',
    name: 'presenter',
    component: () => import('@/views/PresenterView.vue'),
    props: true,
    meta: { needsSignIn: true },
  },
  {
    path: '/studio/integrations/',
    name: 'integrations',
    component: () => import('@/views/IntegrationsView.vue'),
    meta: { needsSignIn: true },
  },
  {
    path: '/studio/sign-in/',
    name: 'sign-in',
    component: () => import('@/views/SignInView.vue'),
  },
  {
    path: '/:path(.*)*',
    name: 'not-found',
    component: () => import('@/views/NotFoundView.vue'),
  },
]

/** Send visitors without a session to the sign-in page, and back afterwards. */
export async function requireSession(to: RouteLocationNormalized) {
  const session = useSessionStore()
  if (!to.meta.needsSignIn || (await session.restore())) return true
  return { name: 'sign-in', query: { next: to.fullPath } }
}

export const router = createRouter({ history: createWebHistory('/'), routes })
router.beforeEach(requireSession)
