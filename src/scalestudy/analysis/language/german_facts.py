"""German: facts of the catalog, items of the environment, methods, notes, and the table of sentence rules."""

CATALOG = {
    "One process, one device.": "Ein Prozess, ein Gerät.",
    "Nothing.": "Nichts.",
    "One process drives all devices of a node. On GPUs nn.DataParallel; on CPU devices its shared-memory twin: one thread "
    "per device, parameters shared, batch-norm buffers per device.": "Ein Prozess bedient alle Geräte eines Knotens. Auf "
    "GPUs nn.DataParallel; auf CPU-Geräten dessen Zwilling im gemeinsamen Speicher: ein Thread je Gerät, gemeinsame "
    "Parameter, eigene Puffer der Batch-Normalisierung.",
    "Gradients, summed in the process in fixed order; on GPUs also weights and outputs in every step.": "Gradienten, im "
    "Prozess in fester Reihenfolge summiert; auf GPUs auch Gewichte und Ausgaben in jedem Schritt.",
    "One process per device, each with the whole model (DistributedDataParallel).": "Ein Prozess je Gerät, jeder mit dem "
    "ganzen Modell (DistributedDataParallel).",
    "Gradients, all-reduced in buckets while the backward pass runs.": "Gradienten, in Blöcken summiert, während der "
    "Rückwärtslauf weitergeht.",
    "One process per node, which drives its devices as DataParallel does.": "Ein Prozess je Knoten, der seine Geräte wie "
    "DataParallel bedient.",
    "Gradients: summed inside the process, then all-reduced between the nodes' processes.": "Gradienten: im Prozess "
    "summiert, dann zwischen den Prozessen der Knoten.",
    "One process per device; parameters, gradients and optimizer state are sharded over the devices of a node and "
    "replicated across nodes (FSDP2).": "Ein Prozess je Gerät; Parameter, Gradienten und Zustand des Optimierers sind über "
    "die Geräte eines Knotens aufgeteilt und zwischen Knoten vervielfältigt (FSDP2).",
    "Parameters gathered and gradients reduce-scattered within a node, gradients all-reduced across nodes.": "Innerhalb "
    "eines Knotens Parameter eingesammelt und Gradienten verteilt summiert, zwischen Knoten Gradienten summiert.",
    "Synthetic": "Synthetisch",
    "Fashion-MNIST, subset": "Fashion-MNIST, Auswahl",
    "synthetic data": "synthetische Daten",
    "none": "keine",
    "random crop after padding by 4, random horizontal flip": "zufälliger Ausschnitt nach Rand von 4, zufällig gespiegelt",
    "learning rate": "Lernrate",
    "momentum": "Momentum",
    "weight decay": "Gewichtsabnahme",
}

ENVIRONMENT = {
    "Hosts": "Rechner",
    "Processor": "Prozessor",
    "Cores of a run": "Kerne eines Laufs",
    "Memory": "Arbeitsspeicher",
    "Accelerators": "Beschleuniger",
    "Operating system": "Betriebssystem",
    "Kernel": "Kernel",
    "Python": "Python",
    "PyTorch": "PyTorch",
    "CUDA": "CUDA",
    "Communication": "Kommunikation",
    "Threads per rank": "Threads je Prozess",
    "Scheduler": "Auftragsverwaltung",
    "Memory allocator": "Speicherverwaltung",
    "scalestudy": "scalestudy",
    "Source commit": "Stand des Quelltexts",
    "Data of {workload} (SHA-256)": "Daten von {workload} (SHA-256)",
    "told to keep freed memory": "behält freigegebenen Speicher",
    "as the system has it": "wie das System sie hat",
    "{value} ({n} run)": "{value} ({n} Lauf)",
    "{value} ({n} runs)": "{value} ({n} Läufe)",
    "runs disagree on {item}: {values}": "die Läufe stimmen nicht überein bei {item}: {values}",
}

METHODS = {
    "epoch time, 6 runs or more": "Epochenzeit, ab 6 Läufen",
    "median; 95% interval between two order statistics, exact for any distribution": "Median; 95-%-Intervall zwischen zwei "
    "Ranggrößen, exakt für jede Verteilung",
    "epoch time, 3 to 5 runs": "Epochenzeit, 3 bis 5 Läufe",
    "median; 95% t-interval of the mean logarithm, exponentiated": "Median; 95-%-t-Intervall des mittleren Logarithmus, "
    "zurückgerechnet",
    "speedup, efficiency, ratio of two strategies": "Speedup, Effizienz, Verhältnis zweier Strategien",
    "ratio of the medians; 95% Welch t-interval for the difference of the mean logarithms, exponentiated": "Verhältnis der "
    "Mediane; 95-%-t-Intervall nach Welch für die Differenz der mittleren Logarithmen, zurückgerechnet",
    "difference of accuracies": "Differenz der Genauigkeiten",
    "difference of the means; 90% Welch t-interval, two one-sided tests at 5%": "Differenz der Mittel; 90-%-t-Intervall "
    "nach Welch, zwei einseitige Tests zu 5 %",
}

NOTES = {
    "base": "Basis",
    "more devices than cores: correctness only": "mehr Geräte als Kerne: nur Korrektheit",
    "no completed run": "kein beendeter Lauf",
    "fails the parity check": "besteht die Paritätsprüfung nicht",
    "parity check could not run": "die Paritätsprüfung konnte nicht laufen",
    "no base: no serial cell is planned": "keine Basis: keine serielle Zelle geplant",
    "no base: no serial run completed": "keine Basis: kein serieller Lauf beendet",
    "no base: the serial cell is not comparable": "keine Basis: die serielle Zelle ist nicht vergleichbar",
    "no interval: the base has fewer than 3 completed runs": "kein Intervall: die Basis hat weniger als 3 beendete Läufe",
    "no interval: the cell has fewer than 3 completed runs": "kein Intervall: die Zelle hat weniger als 3 beendete Läufe",
}

RULES = {
    "planned, completed, failed, missing and resumed runs": "geplante, beendete, fehlgeschlagene, fehlende und "
    "fortgesetzte Läufe",
    "always": "immer",
    "fastest parallel configuration: times, speedup with interval, efficiency": "schnellste parallele Konfiguration: Zeiten, "
    "Speedup mit Intervall, Effizienz",
    "a parallel cell has a speedup": "eine parallele Zelle hat einen Speedup",
    "ratio of the epoch times of two strategies on equal devices, with interval": "Verhältnis der Epochenzeiten zweier "
    "Strategien auf gleich vielen Geräten, mit Intervall",
    "two strategies share a number of devices; not separated when the interval holds 1": "zwei Strategien haben eine "
    "Gerätezahl gemeinsam; nicht getrennt, wenn das Intervall die 1 enthält",
    "slower than, or not distinguishable from, one device": "langsamer als ein Gerät oder davon nicht zu unterscheiden",
    "interval of the speedup below 1, or holding 1": "Intervall des Speedups unter 1, oder mit der 1 darin",
    "largest configuration with an efficiency above 80%": "größte Konfiguration mit einer Effizienz über 80 %",
    "lower end of the interval above 80%": "unteres Ende des Intervalls über 80 %",
    "largest share of the step time that is not computation, per strategy at its largest size": "größter Anteil an der Zeit "
    "eines Schritts, der nicht Rechnen ist, je Strategie in ihrer größten Anordnung",
    "a phase was measured; says where computation and communication were not told apart": "eine Phase wurde gemessen; sagt, "
    "wo Rechnen und Kommunikation nicht getrennt wurden",
    "equivalence of accuracies within the margin": "Äquivalenz der Genauigkeiten in den Grenzen",
    "two one-sided tests at 5%": "zwei einseitige Tests zu 5 %",
    "outcome of the parity checks and their largest error": "Ergebnis der Paritätsprüfungen und ihr größter Fehler",
    "weak-scaling efficiency with interval": "Effizienz bei schwacher Skalierung mit Intervall",
    "a weak-scaling cell has a speedup": "eine Zelle mit schwacher Skalierung hat einen Speedup",
    "shortest epoch and least device time": "kürzeste Epoche und geringste Gerätezeit",
    "strong and epoch scaling; a choice among measured cells, not a prediction": "starke und Epochenskalierung; eine Auswahl "
    "unter gemessenen Zellen, keine Vorhersage",
    "widest relative interval of a speedup": "relativ breitestes Intervall eines Speedups",
    "a speedup has an interval": "ein Speedup hat ein Intervall",
    "runs during which other programs took more than 5% of the machine": "Läufe, bei denen andere Programme mehr als 5 % der "
    "Maschine in Anspruch nahmen",
    "a run completed": "ein Lauf wurde beendet",
    "which data is synthetic": "welche Daten synthetisch sind",
    "a workload has generated images": "eine Aufgabe hat erzeugte Bilder",
    "speedup of the whole run, start-up included, beside that of training": "Speedup des ganzen Laufs, Start eingeschlossen, "
    "neben dem des Trainings",
    "strong and epoch scaling; the fastest cell and its base have runs that were not resumed": "starke und "
    "Epochenskalierung; die schnellste Zelle und ihre Basis haben Läufe, die nicht fortgesetzt wurden",
    "what the runs disagree on among processor, versions, commit and data": "worin die Läufe bei Prozessor, Versionen, "
    "Quelltext und Daten nicht übereinstimmen",
    "two runs recorded different values": "zwei Läufe haben verschiedene Werte aufgezeichnet",
    "workloads, strategies, scalings, seeds and devices of the study": "Aufgaben, Strategien, Skalierungen, Startwerte und "
    "Geräte der Studie",
    "a run was planned": "ein Lauf war geplant",
    "how many of the twelve rules for scientific benchmarking are satisfied": "wie viele der zwölf Regeln für "
    "wissenschaftliche Leistungsmessung erfüllt sind",
    "a rule applies to the study": "eine Regel betrifft die Studie",
    "cost of communication per step with interval, per strategy at its largest size": "Kosten der Kommunikation je Schritt "
    "mit Intervall, je Strategie in ihrer größten Anordnung",
    "steps with and without communication were measured in turn": "Schritte mit und ohne Kommunikation wurden abwechselnd "
    "gemessen",
    "speedup over that of independent serial trainings at once": "Speedup im Verhältnis zu dem gleichzeitiger unabhängiger "
    "serieller Trainings",
    "the layout was probed": "die Anordnung wurde ausgemessen",
    "lowest factor of the global efficiency, per strategy at its largest size": "niedrigster Faktor der Gesamteffizienz, je "
    "Strategie in ihrer größten Anordnung",
    "all its factors were measured": "alle ihre Faktoren wurden gemessen",
    "time to the accuracy target of the configuration that reaches it first": "Zeit bis zur Zielgenauigkeit der "
    "Konfiguration, die sie zuerst erreicht",
    "more than half of the runs of a parallel cell reached the target": "mehr als die Hälfte der Läufe einer parallelen Zelle "
    "hat das Ziel erreicht",
    "predicted efficiency on the most devices with the range of simulated studies": "vorhergesagte Effizienz auf den meisten "
    "Geräten mit der Spanne simulierter Studien",
    "the model predicted larger cells that it had not seen": "das Modell hat größere Zellen vorhergesagt, die es nicht kannte",
    "largest error of each model on cells that it had not seen": "größter Fehler jedes Modells an Zellen, die es nicht kannte",
    "a cell was predicted from smaller ones": "eine Zelle wurde aus kleineren vorhergesagt",
    "for what there is no prediction, and why": "wofür es keine Vorhersage gibt, und warum",
    "a strategy lacks the data for one": "einer Strategie fehlen die Daten dafür",
}

FACTS = CATALOG | ENVIRONMENT | METHODS | NOTES | RULES
