"""German: what each phrase of the sentences, headlines and tables becomes. The keys are the English phrases."""

from scalestudy.analysis.language.german_facts import FACTS

SENTENCES = {
    "For {title}": "Für {title}",
    "For {title} under strong scaling": "Für {title} bei starker Skalierung",
    "For {title} under epoch scaling": "Für {title} bei Epochenskalierung",
    "For {title} under weak scaling": "Für {title} bei schwacher Skalierung",
    "{subject}, the fastest parallel configuration is {name}: an epoch takes {time} instead of {base}, a speedup of "
    "**{speedup}** ({interval}) at {efficiency} efficiency.": "{subject} ist die schnellste parallele Konfiguration "
    "{name}: Eine Epoche dauert {time} statt {base}, ein Speedup von **{speedup}** ({interval}) bei einer Effizienz von "
    "{efficiency}.",
    "{subject}, the fastest parallel configuration is {name}: an epoch of {devices} times the base's images takes "
    "{time}, the base's {base}, a scaled speedup of **{speedup}** ({interval}) at {efficiency} efficiency.": "{subject} "
    "ist die schnellste parallele Konfiguration {name}: Eine Epoche mit {devices}-mal den Bildern der Basis dauert {time}, "
    "die der Basis {base}, ein skalierter Speedup von **{speedup}** ({interval}) bei einer Effizienz von {efficiency}.",
    "{subject}, on {devices} an epoch with {first} takes {ratios}.": "{subject}, {devices}: Eine Epoche mit {first} "
    "dauert {ratios}.",
    "{strategy} on {nodes} nodes": "{strategy} auf {nodes} Knoten",
    "{ratio} times as long as with {other} ({interval})": "{ratio}-mal so lange wie mit {other} ({interval})",
    "{ratio} times as long as with {other} ({interval}), the data do not separate them": "{ratio}-mal so lange wie mit "
    "{other} ({interval}), die Daten trennen die beiden nicht",
    "{subject}, {names} is slower than one device ({one}, serial).": "{subject} langsamer als ein Gerät ({one}, "
    "seriell): {names}.",
    "{subject}, {names} are slower than one device ({one}, serial).": "{subject} langsamer als ein Gerät ({one}, "
    "seriell): {names}.",
    "{subject}, {names} is not distinguishable from one device ({one}, serial).": "{subject} von einem Gerät ({one}, "
    "seriell) nicht zu unterscheiden: {names}.",
    "{subject}, {names} are not distinguishable from one device ({one}, serial).": "{subject} von einem Gerät ({one}, "
    "seriell) nicht zu unterscheiden: {names}.",
    "{subject}, no interval of an efficiency exists: the runs of a cell or of its base are too few.": "{subject} gibt es "
    "kein Intervall einer Effizienz: Eine Zelle oder ihre Basis hat zu wenige Läufe.",
    "{subject}, no parallel configuration has an efficiency whose whole interval lies above {target}.": "{subject} hat "
    "keine parallele Konfiguration eine Effizienz, deren ganzes Intervall über {target} liegt.",
    "; {some} of {all} have no interval": "; {some} von {all} haben kein Intervall",
    "{subject}, the largest configuration whose efficiency lies above {target} with its whole interval is {name}: "
    "{efficiency} ({interval}){unknown}.": "{subject} ist die größte Konfiguration, deren Effizienz mit dem ganzen "
    "Intervall über {target} liegt, {name}: {efficiency} ({interval}){unknown}.",
    "{efficiency} ({interval}) with {name}": "{efficiency} ({interval}) mit {name}",
    "For {title}, the weak-scaling efficiency is {parts}.": "Für {title} beträgt die Effizienz bei schwacher Skalierung "
    "{parts}.",
    "{subject}, the shortest epoch among the measured parallel configurations is that of {short} ({short_time}); the one "
    "that uses least device time is {cheap} ({cheap_time}).": "{subject} ist die kürzeste Epoche unter den gemessenen "
    "parallelen Konfigurationen die von {short} ({short_time}); am wenigsten Gerätezeit braucht {cheap} ({cheap_time}).",
    "{time}, {price} of device time": "{time}, {price} Gerätezeit",
    "The widest relative interval of a speedup is that of {name} for {title} ({scaling}): {speedup}, {low} to {high}, "
    "from {n} runs.": "Das relativ breiteste Intervall eines Speedups ist das von {name} für {title} ({scaling}): "
    "{speedup}, {low} bis {high}, aus {n} Läufen.",
    "{subject}, a whole run with {name} takes {total}, start-up and evaluation included: a speedup of {end_to_end} from "
    "end to end, beside {speedup} in training.": "{subject} dauert ein ganzer Lauf mit {name} {total}, Start und "
    "Auswertung eingeschlossen: ein Gesamtspeedup von {end_to_end} neben {speedup} im Training.",
    "The study has {counts}, on up to {devices}.": "Die Studie hat {counts}; größte Konfiguration: {devices}.",
    "No run was planned.": "Es war kein Lauf geplant.",
    "Of {planned}, {fates}": "Aus {planned} wurde: {fates}",
    "{n} completed": "{n} beendet",
    "{n} failed": "{n} fehlgeschlagen",
    "{n} is missing": "{n} fehlt",
    "{n} are missing": "{n} fehlen",
    "none was resumed after an interruption": "keiner wurde nach einer Unterbrechung fortgesetzt",
    "{n} was resumed after an interruption": "{n} wurde nach einer Unterbrechung fortgesetzt",
    "{n} were resumed after an interruption": "{n} wurden nach einer Unterbrechung fortgesetzt",
    "Runs that did not complete enter no number.": "Läufe, die nicht beendet wurden, gehen in keine Zahl ein.",
    "{combinations} of the study cannot run on this machine.": "Auf dieser Maschine nicht ausführbar: {combinations} der "
    "Studie.",
    "No speedup, only correctness, for more devices than cores: {runs}.": "Kein Speedup, nur Korrektheit, bei mehr "
    "Geräten als Kernen: {runs}.",
    "{subject}, equivalence of accuracies is not tested: no interval of a difference exists.": "{subject} ist die "
    "Äquivalenz der Genauigkeiten nicht geprüft: Es gibt kein Intervall einer Differenz.",
    "{subject}, {some} of {all} is equivalent in test accuracy to the serial baseline within {margin}{more}.": "{subject} "
    "in der Testgenauigkeit der seriellen Basis äquivalent in den Grenzen {margin}: {some} von {all}{more}.",
    "{subject}, {some} of {all} are equivalent in test accuracy to the serial baseline within {margin}{more}.": "{subject} "
    "in der Testgenauigkeit der seriellen Basis äquivalent in den Grenzen {margin}: {some} von {all}{more}.",
    "; equivalence is not shown for {others}": "; nicht gezeigt ist die Äquivalenz für {others}",
    "; {n} could not be tested, for want of runs": "; {n} ließen sich mangels Läufen nicht prüfen",
    "{margin} pp (percentage points)": "{margin} PP (Prozentpunkte)",
    "{name} (difference {difference} pp, 90% CI {low} to {high})": "{name} (Differenz {difference} PP, 90-%-KI {low} bis "
    "{high})",
    "No parity check was recorded: whether the strategies compute what serial training computes is not known.": "Es wurde "
    "keine Paritätsprüfung aufgezeichnet: Ob die Strategien berechnen, was serielles Training berechnet, ist nicht "
    "bekannt.",
    "{passed} of {checks} in float64 passed": "{passed} von {checks} in float64 bestanden",
    "; the largest relative difference among these is {gradient} in a gradient and {parameter} in the parameters after "
    "{steps} steps": "; die größte relative Abweichung unter diesen ist {gradient} in einem Gradienten und {parameter} in "
    "den Parametern nach {steps} Schritten",
    "; not checked: {names}": "; nicht geprüft: {names}",
    "Not passed: {names}; no speedup is given for it": "Nicht bestanden: {names}; dafür wird kein Speedup angegeben",
    "Not passed: {names}; no speedup is given for them": "Nicht bestanden: {names}; dafür wird kein Speedup angegeben",
    "The load of the machine by other programs was not measured.": "Die Last der Maschine durch andere Programme wurde "
    "nicht gemessen.",
    "Other programs took more than {limit} of the machine in {n} of {runs}": "Andere Programme nahmen mehr als {limit} "
    "der Maschine in Anspruch in {n} von {runs}",
    " and {n} more": " und {n} weitere",
    "; their times are included": "; ihre Zeiten sind enthalten",
    "; in {n} it was not measured": "; in {n} wurde es nicht gemessen",
    "**Synthetic data:** the images of {titles} are generated, not those of a real data set.": "**Synthetische Daten:** "
    "Die Bilder von {titles} sind erzeugt, nicht die eines wirklichen Datensatzes.",
    "The runs disagree on {items}; the environment tables list the values.": "Die Läufe stimmen nicht überein bei "
    "{items}; die Tabellen der Umgebung nennen die Werte.",
    "Of the twelve rules for scientific benchmarking, {all} apply to this study and {some} are satisfied{missed}.": "Von "
    "den zwölf Regeln für wissenschaftliche Leistungsmessung betreffen {all} diese Studie, {some} sind erfüllt{missed}.",
    "; not satisfied: {rules}": "; nicht erfüllt: {rules}",
    "{share} {phase} with {name}": "{share} {phase} mit {name}",
    "with {names}, computation and communication were not measured apart": "bei {names} wurden Rechnen und Kommunikation "
    "nicht getrennt gemessen",
    "{subject}, the largest measured share of the step time apart from forward pass, backward pass and optimizer is, per "
    "strategy at its largest size: {parts}.": "{subject} ist außer Vorwärtslauf, Rückwärtslauf und Optimierer der größte "
    "gemessene Anteil an der Zeit eines Schritts, je Strategie in ihrer größten Anordnung: {parts}.",
    "{cost} ({interval}), {share} of the step, with {name}": "{cost} ({interval}), {share} des Schritts, mit {name}",
    "{subject}, the gradients of a step with communication take longer than without by {parts}.": "{subject} dauern die "
    "Gradienten eines Schritts mit Kommunikation länger als ohne, und zwar um {parts}.",
    "{share} of {ceiling} with {name}": "{share} von {ceiling} mit {name}",
    "{subject}, the speedup reaches this share of the speedup of independent serial trainings at once: {parts}.": "{subject} "
    "erreicht der Speedup diesen Anteil des Speedups gleichzeitiger unabhängiger serieller Trainings: {parts}.",
    "{factor} {share} with {name}": "{factor} {share} mit {name}",
    "{subject}, the lowest factor of the global efficiency is, per strategy at its largest size: {parts}.": "{subject} "
    "ist der niedrigste Faktor der Gesamteffizienz, je Strategie in ihrer größten Anordnung: {parts}.",
    "{subject}, a test accuracy of {target} is reached first by {name}: after {time} of training ({interval}), in "
    "{reached} of {runs}.": "{subject} erreicht {name} eine Testgenauigkeit von {target} zuerst: nach {time} Training "
    "({interval}), in {reached} von {runs}.",
    "{subject}, the model of one step with {algorithm} all-reduce predicts for {strategy} on {devices} an efficiency of "
    "{efficiency} ({low} to {high} in simulated studies).": "{subject} sagt das Modell eines Schritts mit All-Reduce als "
    "{algorithm} voraus: {strategy}, {devices}, Effizienz {efficiency} ({low} bis {high} in simulierten Studien).",
    "Fitted to smaller cells, the model “{model}” predicted the efficiency of {cells} that it had not seen; its largest "
    "error is {error}, for {strategy} on {devices}.": "An kleinere Zellen angepasst, hat das Modell „{model}“ die Effizienz "
    "von Zellen vorhergesagt, die es nicht kannte ({cells}); sein größter Fehler ist {error}, bei {strategy}, {devices}.",
    "No prediction is made for {names}: {reason}.": "Keine Vorhersage gibt es für {names}: {reason}.",
}

HEADLINES = {
    "fastest": "am schnellsten",
    "scaled speedup": "skalierter Speedup",
    "efficiency": "Effizienz",
    "{name}, {efficiency} efficiency": "{name}, Effizienz {efficiency}",
    "largest accuracy change": "größte Änderung der Genauigkeit",
    "{points} pp": "{points} PP",
    "90% CI {low} to {high}": "90-%-KI {low} bis {high}",
    "95% CI {low}–{high}": "95-%-KI {low}–{high}",
    "no interval": "kein Intervall",
    "parity with serial training": "Gleichheit mit seriellem Training",
    "not checked": "nicht geprüft",
    "largest error {error}": "größter Fehler {error}",
    "checks passed, float64": "Prüfungen bestanden, float64",
    "runs completed": "Läufe beendet",
    "{failed} failed, {missing} missing": "{failed} fehlgeschlagen, {missing} fehlen",
}

NOUNS = {
    "and": "und",
    "planned run": "geplanten Lauf",
    "planned runs": "geplanten Läufen",
    "completed run": "beendeten Lauf",
    "completed runs": "beendeten Läufen",
    "run": "Lauf",
    "runs": "Läufen",
    "cell": "Zelle",
    "cells": "Zellen",
    "combination": "Kombination",
    "combinations": "Kombinationen",
    "parity check": "Paritätsprüfung",
    "parity checks": "Paritätsprüfungen",
    "parallel configuration": "paralleler Konfiguration",
    "parallel configurations": "parallelen Konfigurationen",
    "workload": "Aufgabe",
    "workloads": "Aufgaben",
    "parallel strategy": "parallele Strategie",
    "parallel strategies": "parallele Strategien",
    "scaling": "Skalierung",
    "scalings": "Skalierungen",
    "seed": "Startwert",
    "seeds": "Startwerte",
    "device": "Gerät",
    "devices": "Geräte",
    "GPU": "GPU",
    "GPUs": "GPUs",
    "CPU core": "CPU-Kern",
    "CPU cores": "CPU-Kerne",
    "CPU device": "CPU-Gerät",
    "CPU devices": "CPU-Geräte",
    "{strategy}, {devices} on {nodes} nodes": "{strategy}, {devices} auf {nodes} Knoten",
    "strong scaling": "starke Skalierung",
    "epoch scaling": "Epochenskalierung",
    "weak scaling": "schwache Skalierung",
    "waiting for data": "Warten auf Daten",
    "copies from host to device": "Kopien vom Rechner zum Gerät",
    "forward pass": "Vorwärtslauf",
    "backward pass": "Rückwärtslauf",
    "exposed communication": "nicht überdeckte Kommunikation",
    "waiting for the slowest device": "Warten auf das langsamste Gerät",
    "optimizer": "Optimierer",
    "time outside the named phases": "Zeit außerhalb der genannten Phasen",
    "data feeding": "Datenzufuhr",
    "load balance": "Lastausgleich",
    "communication": "Kommunikation",
    "computation scalability": "Skalierbarkeit des Rechnens",
    "ring": "Ring",
    "tree": "Baum",
    "amdahl": "Amdahl",
    "gustafson": "Gustafson",
    "usl": "USL",
    "step model (ring)": "Modell eines Schritts (Ring)",
    "step model (tree)": "Modell eines Schritts (Baum)",
}

PHRASES = SENTENCES | HEADLINES | NOUNS | FACTS
