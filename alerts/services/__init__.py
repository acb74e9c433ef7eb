"""The flow, one verb a module. A service reads and writes rows; none calls another, and none knows who runs it.

poll, read_folder   sources → articles        match     articles → matches, fan-outs
fan_out             matches → deliveries      deliver   deliveries → SMTP (``compose`` makes the messages)
subscribe, confirm, unsubscribe, forget       the people flow
maintain            rescue, expiry            retention finished deliveries → counts
                                              status, explain, doctor: what an operator asks
"""
