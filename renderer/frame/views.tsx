import {
  IconActivity,
  IconAdjustmentsHorizontal,
  IconArrowsDiff,
  IconChartLine,
  IconHistory,
  IconHome2,
  IconPlayerPlay,
  IconStackFront,
  IconStethoscope,
  IconUsersGroup,
  type TablerIcon,
} from '@tabler/icons-react';
import { type ComponentType, lazy } from 'react';
import type { ViewId } from '../../electron/contract/views.ts';
import { Home } from '../features/home/Home.tsx';

interface View {
  readonly icon: TablerIcon;
  readonly Component: ComponentType;
  /** Whether the inspector has something to show beside it. */
  readonly isInspected?: boolean;
}

/** A view is loaded when it is first opened, so that the window starts quickly. */
const later = (load: () => Promise<ComponentType>) => lazy(async () => ({ default: await load() }));

/** The registry of views: what each entry of `electron/contract/views.ts` draws. Home is drawn with the first frame. */
export const views: Readonly<Record<ViewId, View>> = {
  home: { icon: IconHome2, Component: Home },
  run: {
    icon: IconPlayerPlay,
    Component: later(async () => (await import('../features/run/Run.tsx')).Run),
    isInspected: true,
  },
  live: {
    icon: IconActivity,
    Component: later(async () => (await import('../features/live/Live.tsx')).Live),
    isInspected: true,
  },
  compare: {
    icon: IconArrowsDiff,
    Component: later(async () => (await import('../features/compare/Compare.tsx')).Compare),
    isInspected: true,
  },
  sweeps: {
    icon: IconAdjustmentsHorizontal,
    Component: later(async () => (await import('../features/sweep/Sweep.tsx')).Sweep),
  },
  roofline: {
    icon: IconChartLine,
    Component: later(async () => (await import('../features/roofline/Roofline.tsx')).Roofline),
  },
  captures: {
    icon: IconStackFront,
    Component: later(async () => (await import('../features/captures/Captures.tsx')).Captures),
  },
  queues: {
    icon: IconUsersGroup,
    Component: later(async () => (await import('../features/queue/Queue.tsx')).Queue),
  },
  history: {
    icon: IconHistory,
    Component: later(async () => (await import('../features/history/History.tsx')).History),
  },
  doctor: {
    icon: IconStethoscope,
    Component: later(async () => (await import('../features/doctor/Doctor.tsx')).Doctor),
  },
};
