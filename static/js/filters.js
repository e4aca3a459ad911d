// Filters beyond links and ticks: the price slider, and on a phone how many results the sheet's button will show.
