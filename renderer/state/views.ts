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

export type ViewId =
  | 'home'
  | 'run'
  | 'live'
  | 'compare'
  | 'sweeps'
  | 'roofline'
  | 'captures'
  | 'queues'
  | 'history'
  | 'doctor';

export interface View {
  readonly id: ViewId;
  readonly title: string;
  readonly icon: TablerIcon;
}

/** The rail, in order. A view is listed when it exists. */
export const views: readonly View[] = [
  { id: 'home', title: 'Home', icon: IconHome2 },
  { id: 'run', title: 'Run', icon: IconPlayerPlay },
  { id: 'live', title: 'Live', icon: IconActivity },
  { id: 'compare', title: 'Compare', icon: IconArrowsDiff },
  { id: 'sweeps', title: 'Sweeps', icon: IconAdjustmentsHorizontal },
  { id: 'roofline', title: 'Roofline', icon: IconChartLine },
  { id: 'captures', title: 'Captures', icon: IconStackFront },
  { id: 'queues', title: 'Queues', icon: IconUsersGroup },
  { id: 'history', title: 'History', icon: IconHistory },
  { id: 'doctor', title: 'Doctor', icon: IconStethoscope },
];
